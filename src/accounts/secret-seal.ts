import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { CredentialSecret } from './credential.js';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** A sealed secret does not open: another key, or a damaged row. */
export class SealBroken extends Error {
  readonly code = 'seal_broken';
}

/**
 * Encrypts credential secrets at rest: AES-256-GCM under a key that lives outside the database. The
 * credential's id is authenticated with it, so a secret moved to another row does not open.
 * Layout of a sealed secret: 12 bytes nonce, 16 bytes tag, ciphertext.
 */
export class SecretSeal {
  /** Names the key in the rows sealed with it. */
  readonly keyId: string;
  private readonly key: Buffer;

  /** `masterKey` is 32 bytes. */
  constructor(masterKey: Uint8Array) {
    this.key = deriveKey(masterKey, 'credential-secrets');
    this.keyId = deriveKey(masterKey, 'key-id').toString('hex').slice(0, 16);
  }

  seal(credentialId: string, secret: CredentialSecret): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce);
    cipher.setAAD(Buffer.from(credentialId));
    const ciphertext = Buffer.concat([cipher.update(JSON.stringify(secret), 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]);
  }

  /** @throws SealBroken when the secret was not sealed with this key for this credential. */
  open(credentialId: string, sealed: Uint8Array): CredentialSecret {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.key, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(credentialId));
      decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      const clear = Buffer.concat([
        decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)),
        decipher.final(),
      ]);
      return JSON.parse(clear.toString('utf8')) as CredentialSecret;
    } catch (cause) {
      throw new SealBroken(`the secret of ${credentialId} does not open with the configured key`, { cause });
    }
  }
}

/** A 32-byte key for one purpose, derived from the master key (HKDF-SHA-256, RFC 5869). */
export function deriveKey(masterKey: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', masterKey, '', `sip-registrar ${purpose}`, 32));
}
