import { z } from 'zod';
import { CliError } from '../cli.js';

const createdUser = z.object({ credential: z.object({ password: z.string() }) });
const bindings = z.object({ data: z.array(z.object({ aor: z.string() })) });
const deregistered = z.object({ removed: z.int() });

/** What the demo does as an operator, over the admin API and nothing else. */
export class AdminApi {
  constructor(
    private readonly url: string,
    private readonly key: string,
  ) {}

  async createDomain(name: string): Promise<void> {
    await this.call('POST', '/v1/domains', { name });
  }

  /** Makes a user and gives the password that was drawn. */
  async createUser(domain: string, username: string, displayName: string): Promise<string> {
    const body = { username, domain, display_name: displayName, credential: { generate: true } };
    return createdUser.parse(await this.call('POST', '/v1/users', body)).credential.password;
  }

  /** How many bindings there are, and of how many users. */
  async countBindings(): Promise<{ readonly bindings: number; readonly users: number }> {
    const { data } = bindings.parse(await this.call('GET', '/v1/bindings?limit=200'));
    return { bindings: data.length, users: new Set(data.map(({ aor }) => aor)).size };
  }

  /** Forces the phones of a user off; gives how many bindings went. */
  async removeBindings(address: string): Promise<number> {
    const path = `/v1/users/${encodeURIComponent(address)}/bindings`;
    return deregistered.parse(await this.call('DELETE', path)).removed;
  }

  private async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.key}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new CliError(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }
}
