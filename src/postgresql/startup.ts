import { createHash } from 'node:crypto';
import { fault, type ServerFields } from '../errors/index.ts';
import { refusal } from './faults.ts';
import { Operation } from './operation.ts';
import { type Bytes, cstring, int32 } from './protocol/bytes.ts';
import { Scram, ScramError } from './protocol/scram.ts';
import type { Wire } from './wire.ts';

export interface Login {
  readonly user: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly password: () => string | null | PromiseLike<string | null>;
  /** Data of the server's certificate for SCRAM-SHA-256-PLUS; null without TLS or where it has none. */
  readonly endPoint: Buffer | null;
  readonly secure: boolean;
  readonly channelBinding: 'disable' | 'prefer' | 'require';
}

const md5 = (...parts: (string | Buffer)[]): string => {
  const hash = createHash('md5');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

/** The beginning of a session: start-up message, authentication, up to the first ReadyForQuery. */
export class Startup extends Operation {
  readonly sql = '';
  readonly done: Promise<void>;
  /** What is being waited for, for the message of a timeout. */
  phase = 'waiting for the answer to the start-up message';
  readonly #login: Login;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;
  #scram: Scram | null = null;
  #bound = false;
  #authenticated = false;
  #proved = false;

  constructor(login: Login) {
    super();
    this.#login = login;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever connects may have given up already.
    this.done.catch(() => {});
  }

  override send(wire: Wire): boolean {
    const start = wire.writer.begin(0);
    wire.writer.int32(196_608); // 3.0
    for (const [name, value] of Object.entries(this.#login.parameters)) {
      wire.writer.cstring(name);
      wire.writer.cstring(value);
    }
    wire.writer.int8(0);
    wire.writer.end(start);
    return true;
  }

  override reject(error: unknown): void {
    this.#reject(error);
  }

  override ready(wire: Wire): void {
    if (!this.#authenticated) {
      wire.protocolError('the session began without an authentication');
      this.#reject(wire.down);
      return;
    }
    wire.elapsed();
    wire.roundTrip = Number.POSITIVE_INFINITY;
    wire.began();
    this.#resolve();
  }

  override failed(fields: ServerFields, wire: Wire): void {
    this.error = refusal(fields, wire.address);
    wire.fail(this.error);
  }

  override negotiate(): void {
    // The server knows less than we asked for; what we need is in every 3.x.
  }

  #refuse(wire: Wire, problem: string): void {
    wire.fail(fault('SBY_POSTGRESQL_AUTH', { problem, address: wire.address }));
  }

  override authentication(bytes: Bytes, start: number, end: number, wire: Wire): void {
    if (end - start < 4) throw new RangeError('an authentication request that is too short');
    // The work is async; what goes wrong in it ends the connection.
    this.#authenticate(int32(bytes, start), Buffer.from(bytes.subarray(start + 4, end)), wire).catch(
      (error) => {
        if (error instanceof ScramError) this.#refuse(wire, error.message);
        else wire.fail(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }

  async #authenticate(kind: number, data: Buffer, wire: Wire): Promise<void> {
    const { channelBinding } = this.#login;
    if (
      channelBinding === 'require' &&
      kind !== 10 &&
      kind !== 11 &&
      kind !== 12 &&
      !(kind === 0 && this.#bound && this.#proved)
    ) {
      this.#refuse(wire, 'channel binding is required, and the server did not do it');
      return;
    }
    switch (kind) {
      case 0:
        if (this.#scram !== null && !this.#proved) {
          this.#refuse(wire, 'the server let us in without proving that it knows the password');
          return;
        }
        this.#authenticated = true;
        this.phase = 'waiting for the server to begin the session';
        return;
      case 3: {
        const password = await this.#password(wire);
        if (password !== null) this.#answer(wire, Buffer.from(`${password}\0`));
        return;
      }
      case 5: {
        const password = await this.#password(wire);
        if (password === null) return;
        const inner = md5(password, this.#login.user);
        this.#answer(wire, Buffer.from(`md5${md5(inner, data.subarray(0, 4))}\0`));
        return;
      }
      case 10: {
        const mechanisms: string[] = [];
        for (let at = 0; at < data.length && data[at] !== 0; ) {
          const { text, next } = cstring(data, at, data.length);
          mechanisms.push(text);
          at = next;
        }
        await this.#startScram(mechanisms, wire);
        return;
      }
      case 11: {
        if (this.#scram === null) throw new ScramError('the server went on with SCRAM before it began');
        this.#answer(wire, Buffer.from(await this.#scram.clientFinal(data.toString())));
        return;
      }
      case 12: {
        if (this.#scram === null) throw new ScramError('the server ended SCRAM before it began');
        this.#scram.verify(data.toString());
        this.#proved = true;
        return;
      }
      default: {
        const names: Record<number, string> = {
          2: 'Kerberos V5',
          6: 'SCM credentials',
          7: 'GSSAPI',
          8: 'GSSAPI',
          9: 'SSPI',
        };
        this.#refuse(wire, `the server asks for ${names[kind] ?? `method ${kind}`}, which is not supported`);
      }
    }
  }

  async #startScram(mechanisms: readonly string[], wire: Wire): Promise<void> {
    const { channelBinding, endPoint, secure } = this.#login;
    const wants = channelBinding !== 'disable' && secure;
    const bind = wants && endPoint !== null && mechanisms.includes('SCRAM-SHA-256-PLUS');
    if (!bind && !mechanisms.includes('SCRAM-SHA-256')) {
      this.#refuse(wire, `the server offers only ${mechanisms.join(', ') || 'nothing'}`);
      return;
    }
    if (!bind && channelBinding === 'require') {
      this.#refuse(wire, 'channel binding is required, and the connection or the server cannot do it');
      return;
    }
    const password = await this.#password(wire);
    if (password === null) return;
    this.#bound = bind;
    this.#scram = new Scram(password, bind ? endPoint : null, wants && endPoint !== null);
    const first = Buffer.from(this.#scram.clientFirst);
    const name = Buffer.from(bind ? 'SCRAM-SHA-256-PLUS\0' : 'SCRAM-SHA-256\0');
    const length = Buffer.alloc(4);
    length.writeInt32BE(first.length);
    this.#answer(wire, Buffer.concat([name, length, first]));
  }

  async #password(wire: Wire): Promise<string | null> {
    this.phase = 'waiting for the password';
    const password = await this.#login.password();
    if (wire.down !== null) return null;
    if (typeof password === 'string' && password !== '') {
      if (password.includes('\0')) {
        this.#refuse(wire, 'the password contains a NUL character');
        return null;
      }
      return password;
    }
    this.#refuse(wire, 'the server asks for a password and none was given');
    return null;
  }

  #answer(wire: Wire, data: Buffer): void {
    if (wire.down !== null) return;
    this.phase = 'waiting for the server to accept the password';
    const start = wire.writer.begin(112); // p
    wire.writer.raw(data);
    wire.writer.end(start);
    wire.flush();
  }
}
