import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(pbkdf2);
/** More than this is not security but a way to keep us busy (PostgreSQL's default is 4096). */
const maxIterations = 2_000_000;

const hmac = (key: Buffer, data: string | Buffer): Buffer => createHmac('sha256', key).update(data).digest();

/** The password as RFC 5802 wants it: SASLprep, or its bytes where that does not apply, as PostgreSQL does. */
export function saslPrepare(password: string): string {
  if (/^[\x20-\x7e]*$/.test(password)) return password;
  const mapped = password
    // RFC 3454 C.1.2 to space, B.1 to nothing.
    .replace(/[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g, ' ')
    .replace(/\u00ad|\u034f|\u1806|[\u180b-\u180d]|\u200c|\u200d|\u2060|[\ufe00-\ufe0f]|\ufeff/g, '')
    .normalize('NFKC');
  // Prohibited output: control characters, private use, surrogates, non-characters.
  if (
    mapped === '' ||
    /[\p{Cc}\p{Co}\p{Cs}\u{fff9}-\u{fffd}\u200e\u200f\u202a-\u202e\u206a-\u206f]/u.test(mapped)
  )
    return password;
  return mapped;
}

/** What went wrong, for the message of an authentication error. */
export class ScramError extends Error {}

/** One SCRAM-SHA-256 exchange (RFC 5802, RFC 7677): messages in, messages out. */
export class Scram {
  readonly #password: string;
  readonly #gs2: string;
  readonly #binding: Buffer;
  readonly #nonce: string;
  #serverSignature: Buffer | null = null;

  /** `binding`: tls-server-end-point data for -PLUS. `supported`: we could bind, but the server does not offer it. */
  constructor(
    password: string,
    binding: Buffer | null,
    supported: boolean,
    nonce = randomBytes(18).toString('base64'),
  ) {
    this.#password = saslPrepare(password);
    this.#gs2 = binding !== null ? 'p=tls-server-end-point,,' : supported ? 'y,,' : 'n,,';
    this.#binding = Buffer.concat([Buffer.from(this.#gs2), binding ?? Buffer.alloc(0)]);
    this.#nonce = nonce;
  }

  /** The user is taken from the start-up message; the name in here is ignored. */
  get clientFirst(): string {
    return `${this.#gs2}n=,r=${this.#nonce}`;
  }

  async clientFinal(serverFirst: string): Promise<string> {
    const attributes = parse(serverFirst);
    const nonce = attributes.get('r') ?? '';
    const salt = attributes.get('s');
    const iterations = Number(attributes.get('i'));
    if (!nonce.startsWith(this.#nonce) || nonce.length <= this.#nonce.length)
      throw new ScramError('the server answered with a nonce that is not ours');
    if (salt === undefined || salt === '' || !Number.isInteger(iterations) || iterations < 1)
      throw new ScramError('the server sent a malformed SCRAM message');
    if (iterations > maxIterations) throw new ScramError(`the server asks for ${iterations} iterations`);
    // In a thread: some milliseconds that the event loop does not have.
    const salted = await derive(this.#password, Buffer.from(salt, 'base64'), iterations, 32, 'sha256');
    const withoutProof = `c=${this.#binding.toString('base64')},r=${nonce}`;
    const message = `n=,r=${this.#nonce},${serverFirst},${withoutProof}`;
    const clientKey = hmac(salted, 'Client Key');
    const signature = hmac(createHash('sha256').update(clientKey).digest(), message);
    const proof = Buffer.from(clientKey.map((byte, i) => byte ^ (signature[i] as number)));
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), message);
    return `${withoutProof},p=${proof.toString('base64')}`;
  }

  /** Checks that the server knows the password too. Without this a stranger could pose as the server. */
  verify(serverFinal: string): void {
    const attributes = parse(serverFinal);
    const error = attributes.get('e');
    if (error !== undefined) throw new ScramError(`the server says ${error}`);
    const given = Buffer.from(attributes.get('v') ?? '', 'base64');
    const expected = this.#serverSignature;
    if (expected === null || given.length !== expected.length || !timingSafeEqual(given, expected))
      throw new ScramError('the server could not prove that it knows the password');
  }
}

function parse(text: string): Map<string, string> {
  return new Map(text.split(',').map((part) => [part[0] ?? '', part.slice(2)]));
}

/** Signature algorithms by OID (DER), and the hash that RFC 5929 section 4.1 takes for them. */
const hashes: Record<string, string> = {
  '2a864886f70d010104': 'sha256', // md5WithRSA: md5 counts as sha256
  '2a864886f70d010105': 'sha256', // sha1WithRSA: likewise
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a864886f70d01010e': 'sha224',
  '2a8648ce3d0401': 'sha256', // ecdsa-with-SHA1
  '2a8648ce3d040301': 'sha224',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
};
const hashOids: Record<string, string> = {
  '608648016503040201': 'sha256',
  '608648016503040202': 'sha384',
  '608648016503040203': 'sha512',
};
const rsaPss = '2a864886f70d01010a';

/** The channel binding data of a server's certificate (RFC 5929, tls-server-end-point); null where it has no hash, as Ed25519. */
export function endPoint(certificate: Buffer): Buffer | null {
  new X509Certificate(certificate);
  // Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OID, parameters }, signature }
  const outer = der(certificate, 0);
  const tbs = der(certificate, outer.start);
  const algorithm = der(certificate, tbs.end);
  const oid = der(certificate, algorithm.start);
  const name = certificate.toString('hex', oid.start, oid.end);
  let hash = hashes[name];
  if (name === rsaPss) {
    const parameters = certificate.toString('hex', oid.end, algorithm.end);
    hash = Object.entries(hashOids).find(([id]) => parameters.includes(id))?.[1] ?? 'sha256';
  }
  return hash === undefined ? null : createHash(hash).update(certificate).digest();
}

function der(bytes: Buffer, at: number): { start: number; end: number } {
  let length = bytes[at + 1] as number;
  let start = at + 2;
  if (length > 127) {
    const size = length & 127;
    length = bytes.readUIntBE(start, size);
    start += size;
  }
  return { start, end: start + length };
}
