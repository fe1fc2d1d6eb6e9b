import { describe, expect, it } from 'vitest';
import type { Log } from '../../src/base/log.js';
import { isRefusal } from '../../src/base/refusal.js';
import { StoreFailed } from '../../src/base/store-error.js';
import { Tally } from '../../src/base/tally.js';
import {
  type Ban,
  type CountedBan,
  MAX_AUTOMATIC_BANS,
  MAX_MANUAL_BANS,
  type NewBan,
} from '../../src/guard/ban.js';
import type { BanStore } from '../../src/guard/ban-store.js';
import {
  type BanEvent,
  Guard,
  type GuardSettings,
  type Knock,
  REJECTION_LINES_PER_SECOND,
  REJECTION_LINES_PER_SOURCE_A_MINUTE,
  retryAfterSeconds,
} from '../../src/guard/guard.js';
import { parseNetwork } from '../../src/guard/network.js';
import { PROOF_SECONDS } from '../../src/guard/proofs.js';
import { VirtualClock } from '../support/virtual-clock.js';

const SETTINGS: GuardSettings = {
  automatic: true,
  wrongResponsesPerUser: 30,
  usernamesPerSource: 15,
  wrongResponsesPerSource: 200,
  exempt: [],
};

/** A disk that keeps rows in an array, or refuses to. */
class Disk implements BanStore {
  rows: Ban[] = [];
  fails = false;

  loadBans(now: number): readonly Ban[] {
    return this.rows.filter(({ expiresAt }) => expiresAt > now);
  }
  async insertBan(ban: Ban): Promise<void> {
    if (this.fails) throw new StoreFailed('no disk');
    this.rows.push(ban);
  }
  async deleteBan(id: string): Promise<void> {
    if (this.fails) throw new StoreFailed('no disk');
    this.rows = this.rows.filter((row) => row.id !== id);
  }
  async deleteExpiredBans(now: number): Promise<number> {
    const before = this.rows.length;
    this.rows = this.rows.filter(({ expiresAt }) => expiresAt > now);
    return before - this.rows.length;
  }
}

class Scene {
  readonly clock = new VirtualClock();
  readonly lines: Record<string, unknown>[] = [];
  readonly events = new Tally<BanEvent>();
  readonly suppressed = new Tally<string>();
  readonly disk: Disk;
  readonly guard: Guard;
  private serial = 0;

  constructor(settings: Partial<GuardSettings> = {}, disk = new Disk()) {
    this.disk = disk;
    const write = (line: Record<string, unknown>) => void this.lines.push(line);
    this.guard = new Guard({
      store: disk,
      clock: this.clock,
      log: { info: write, warn: write } as unknown as Log,
      settings: { ...SETTINGS, ...settings },
      banEvents: this.events,
      suppressed: this.suppressed,
    });
  }

  /** Sends `count` distinct wrong responses. */
  wrong(count: number, username = 'alice', at: Partial<Knock> = {}): void {
    for (let i = 0; i < count; i++) {
      const response = (this.serial++).toString(16).padStart(12, '0');
      this.guard.wrong(knock(at), [{ username, response }]);
    }
  }

  /** A scanner: one wrong response for each of `count` names. */
  scan(count: number, at: Partial<Knock> = {}): void {
    for (let i = 0; i < count; i++) this.wrong(1, `user${i}`, at);
  }

  admitted(username = 'alice', at: Partial<Knock> = {}): string {
    return this.guard.admit(knock(at), () => [username]).kind;
  }

  bans(): readonly CountedBan[] {
    return this.guard.listBans({});
  }

  async ban(text: string, changes: Partial<NewBan> = {}): Promise<CountedBan> {
    const made = await this.guard.addBan({
      network: parseNetwork(text)!,
      domain: null,
      username: null,
      seconds: 3_600,
      reason: 'test',
      createdBy: 'key_1',
      ...changes,
    });
    if (isRefusal(made)) throw new Error(made.code);
    return made;
  }

  logged(event: string): readonly Record<string, unknown>[] {
    return this.lines.filter((line) => line.event === event);
  }
}

function knock(at: Partial<Knock> = {}): Knock {
  return { transport: 'udp', ip: '192.0.2.1', port: 5060, domain: 'example.com', ...at };
}

describe('R5: guessing for one user', () => {
  it('refuses that user from that source, and nobody else, and the user nowhere else', () => {
    const scene = new Scene();
    scene.wrong(30);
    expect(scene.admitted()).toBe('open');
    scene.wrong(1);
    expect(scene.admitted()).toBe('refused');
    expect(scene.admitted('bob')).toBe('open');
    expect(scene.admitted('alice', { ip: '192.0.2.2' })).toBe('open');
    expect(scene.admitted('alice', { domain: 'example.net' })).toBe('open');
    scene.clock.advanceSeconds(300);
    expect(scene.admitted()).toBe('open');
  });

  it('leaves the very port alone that the right password came from, until a wrong one does', () => {
    const scene = new Scene();
    scene.guard.right(knock({ port: 1_111 }), 'alice');
    scene.wrong(31, 'alice', { port: 2_222 });
    expect(scene.admitted('alice', { port: 2_222 })).toBe('refused');
    expect(scene.admitted('alice', { port: 1_111 })).toBe('open');
    expect(scene.admitted('alice', { port: 1_111, transport: 'tcp' })).toBe('refused');
    scene.wrong(1, 'alice', { port: 1_111 });
    expect(scene.admitted('alice', { port: 1_111 })).toBe('refused');
  });

  it('is the same for a user who does not exist: the guard never asks', () => {
    const scene = new Scene();
    scene.wrong(31, 'nobody');
    expect(scene.admitted('nobody')).toBe('refused');
  });
});

describe('R5: guessing for many users', () => {
  it('refuses the source, where nobody ever was right', () => {
    const scene = new Scene();
    scene.scan(16);
    expect(scene.admitted('alice')).toBe('refused');
    expect(scene.admitted('alice', { domain: 'example.net' })).toBe('refused');
    scene.clock.advanceSeconds(600);
    expect(scene.admitted('alice')).toBe('open');
  });

  it('hears those on who share the address with somebody who was right, for a day', () => {
    const scene = new Scene();
    scene.guard.right(knock({ port: 1_111 }), 'alice');
    scene.scan(16, { port: 2_222 });
    expect(scene.admitted('alice', { port: 3_333 })).toBe('proven_only');
    expect(scene.admitted('bob')).toBe('proven_only');
    expect(scene.guard.isProven(knock(), 'alice')).toBe(true);
    expect(scene.guard.isProven(knock(), 'bob')).toBe(false);

    const late = new Scene();
    late.guard.right(knock(), 'alice');
    late.clock.advanceSeconds(PROOF_SECONDS);
    late.scan(16);
    expect(late.admitted('alice')).toBe('refused');
  });

  it('IPv6 counts by /64', () => {
    const scene = new Scene();
    for (let i = 0; i < 16; i++) scene.wrong(1, `user${i}`, { ip: `2001:db8:0:1::${i.toString(16)}` });
    expect(scene.admitted('alice', { ip: '2001:db8:0:1:ffff::1' })).toBe('refused');
    expect(scene.admitted('alice', { ip: '2001:db8:0:2::1' })).toBe('open');
  });
});

describe('settings', () => {
  it('switched off, it bans nobody by itself, and bans by operators hold', async () => {
    const scene = new Scene({ automatic: false });
    scene.wrong(1_000);
    scene.scan(1_000);
    expect(scene.bans()).toEqual([]);
    await scene.ban('192.0.2.1');
    expect(scene.admitted()).toBe('refused');
  });

  it('exempt networks are never banned automatically', () => {
    const scene = new Scene({ exempt: ['198.51.100.7', ' 2001:db8::/32'] });
    scene.scan(100, { ip: '198.51.100.7' });
    scene.scan(100, { ip: '2001:db8::1' });
    expect(scene.bans()).toEqual([]);
    scene.scan(100, { ip: '198.51.100.8' });
    expect(scene.bans().length).toBeGreaterThan(0);
  });
});

describe('bans by operators', () => {
  it('spare nobody in the network, and nobody outside', async () => {
    const scene = new Scene();
    scene.guard.right(knock(), 'alice');
    await scene.ban('192.0.2.0/24');
    expect(scene.admitted('alice')).toBe('refused');
    expect(scene.admitted('alice', { ip: '192.0.3.1' })).toBe('open');
    expect(scene.admitted('alice', { ip: '2001:db8::1' })).toBe('open');
  });

  it('may hold for one domain, or one user of it', async () => {
    const scene = new Scene();
    await scene.ban('192.0.2.1', { domain: 'example.com', username: 'alice' });
    await scene.ban('192.0.2.1', { domain: 'example.net' });
    expect(scene.admitted('alice')).toBe('refused');
    expect(scene.admitted('bob')).toBe('open');
    expect(scene.admitted('bob', { domain: 'example.net' })).toBe('refused');
  });

  it('outlive the server; automatic ones do not', async () => {
    const scene = new Scene();
    await scene.ban('192.0.2.1');
    scene.scan(16, { ip: '192.0.2.2' });
    const after = new Scene({}, scene.disk);
    expect(after.admitted('alice', { ip: '192.0.2.1' })).toBe('refused');
    expect(after.admitted('alice', { ip: '192.0.2.2' })).toBe('open');
  });

  it('take the place of an automatic one, which does not come back in theirs', async () => {
    const scene = new Scene();
    scene.scan(16);
    const made = await scene.ban('192.0.2.1');
    scene.scan(100);
    expect(scene.bans().filter(({ domain }) => domain === null)).toMatchObject([{ id: made.id }]);
  });

  it.each<[string, string, number]>([
    ['0.0.0.0/0', 'network_too_wide', 0],
    ['10.0.0.0/7', 'network_too_wide', 0],
    ['2001::/15', 'network_too_wide', 0],
    ['192.0.2.1', 'ban_exists', 1],
    ['192.0.2.2', 'ban_limit', MAX_MANUAL_BANS],
  ])('of %s may be refused as %s', async (text, code, before) => {
    const scene = new Scene();
    for (let i = 0; i < before; i++) {
      if (i === 0) await scene.ban('192.0.2.1');
      else await scene.ban(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
    }
    await expect(scene.ban(text)).rejects.toThrow(code);
    expect(scene.disk.rows).toHaveLength(before);
  });

  it('that the disk does not take are not in force, and one it does not let go of is', async () => {
    const scene = new Scene();
    scene.disk.fails = true;
    await expect(scene.ban('192.0.2.1')).rejects.toThrow(StoreFailed);
    expect(scene.admitted()).toBe('open');
    scene.disk.fails = false;
    const { id } = await scene.ban('192.0.2.1');
    scene.disk.fails = true;
    await expect(scene.guard.liftBan(id, 'key_1')).rejects.toThrow(StoreFailed);
    expect(scene.admitted()).toBe('refused');
  });
});

describe('lifting a ban', () => {
  it('lets the source in at once, on disk too, and begins the count anew', async () => {
    const scene = new Scene();
    scene.wrong(31);
    const [automatic] = scene.bans();
    expect(await scene.guard.liftBan(automatic!.id, 'key_1')).toBe('lifted');
    expect(scene.admitted()).toBe('open');
    scene.wrong(30);
    expect(scene.admitted()).toBe('open');
    scene.wrong(1);
    expect(scene.bans()[0]!.expiresAt).toBe(scene.clock.now() + 300_000);

    const manual = await scene.ban('192.0.2.9');
    await scene.guard.liftBan(manual.id, 'key_1');
    expect(scene.disk.rows).toEqual([]);
    expect(await scene.guard.liftBan(manual.id, 'key_1')).toMatchObject({ code: 'ban_not_found' });
  });
});

describe('what is told', () => {
  it('each ban that is made, lifted or ended has its line and counts', async () => {
    const scene = new Scene();
    scene.wrong(31);
    const { id } = await scene.ban('198.51.100.0/24', { seconds: 60 });
    await scene.guard.liftBan(id, 'key_2');
    await scene.ban('198.51.100.0/24', { seconds: 60 });
    scene.clock.advanceSeconds(300);
    await scene.guard.sweep();
    expect(scene.logged('ban.added')).toMatchObject([
      {
        kind: 'automatic',
        network: '192.0.2.1',
        domain: 'example.com',
        username: 'alice',
        seconds: 300,
        reason: '31 different wrong responses for alice@example.com within 10 minutes',
      },
      { kind: 'manual', network: '198.51.100.0/24', created_by: 'key_1' },
      { kind: 'manual' },
    ]);
    expect(scene.logged('ban.lifted')).toMatchObject([{ ban_id: id, lifted_by: 'key_2' }]);
    expect(scene.logged('ban.expired')).toHaveLength(2);
    expect(Object.fromEntries(scene.events.entries())).toEqual({
      added_automatic: 1,
      added_manual: 2,
      lifted: 1,
      expired: 2,
    });
    expect(scene.guard.banCount).toBe(0);
    expect(scene.disk.rows).toEqual([]);
  });

  it('a ban counts what it refuses', () => {
    const scene = new Scene();
    scene.wrong(31);
    for (let i = 0; i < 5; i++) scene.admitted();
    expect(scene.bans()).toMatchObject([{ refusedRequests: 5 }]);
  });

  it('a flood of refusals is told in one line of its size', () => {
    const scene = new Scene();
    const refuse = (ip: string) =>
      scene.guard.record({
        reason: 'unknown_user',
        status: 401,
        transport: 'udp',
        ip,
        port: 5060,
        username: 'x',
        userId: null,
        aor: 'sip:x@example.com',
        domain: 'example.com',
        userAgent: null,
        callId: 'c',
        facts: {},
      });
    const ofOne = Array.from({ length: 1_000 }, () => refuse('192.0.2.1')).filter(Boolean).length;
    expect(ofOne).toBe(REJECTION_LINES_PER_SOURCE_A_MINUTE);
    const ofMany = Array.from({ length: 1_000 }, (_, i) => refuse(`10.0.${i >> 8}.${i & 255}`)).filter(
      Boolean,
    );
    expect(ofMany).toHaveLength(REJECTION_LINES_PER_SECOND - REJECTION_LINES_PER_SOURCE_A_MINUTE);
    scene.guard.tellSuppressed();
    scene.guard.tellSuppressed();
    const left = 2_000 - REJECTION_LINES_PER_SECOND;
    expect(scene.logged('registration.rejected_suppressed')).toEqual([
      { event: 'registration.rejected_suppressed', lines: left, by_reason: { unknown_user: left } },
    ]);
    expect(scene.suppressed.of('registration.rejected')).toBe(left);
  });

  it('a phone is told to wait ten minutes at most, and a second at least', () => {
    const ban = { expiresAt: 1_000_000_000 } as Ban;
    expect(retryAfterSeconds(ban, 1_000_000_000 - 86_400_000)).toBe(600);
    expect(retryAfterSeconds(ban, 1_000_000_000 - 299_001)).toBe(300);
    expect(retryAfterSeconds(ban, 1_000_000_000)).toBe(1);
  });
});

describe('bounds', () => {
  it('100,000 guessing sources leave as many automatic bans as may be, and the log is not flooded', () => {
    const scene = new Scene({ wrongResponsesPerUser: 1 });
    for (let i = 0; i < 100_000; i++) {
      scene.wrong(2, 'alice', { ip: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}` });
    }
    expect(scene.guard.banCount).toBeLessThanOrEqual(MAX_AUTOMATIC_BANS);
    expect(scene.guard.banCount).toBeGreaterThan(MAX_AUTOMATIC_BANS * 0.9);
    expect(scene.admitted('alice', { ip: '10.1.134.159' })).toBe('refused');
    expect(scene.lines.length).toBeLessThan(100);
    expect(scene.events.of('dropped')).toBeGreaterThan(0);
  });
});
