import type { BlockList } from 'node:net';

/** What a request may cost, in bytes and counts. */
export interface RequestLimits {
  /** Largest body read into memory by body(), text(), json() and form() without files. Default 2.5 MiB. */
  readonly maxBodySize: number;
  /** Largest multipart body, files included. Default 100 MiB. */
  readonly maxUploadSize: number;
  /** Largest single file. Default 100 MiB. */
  readonly maxFileSize: number;
  /** Most files in one form. Default 100. */
  readonly maxFiles: number;
  /** Most query parameters or form fields. Default 1000. */
  readonly maxFields: number;
  /** Deepest nesting of a JSON body. Default 200. */
  readonly maxJsonDepth: number;
  /** A file up to this size stays in memory, a larger one goes to disk. Default 64 KiB. */
  readonly fileMemory: number;
}

export const defaultLimits: RequestLimits = {
  maxBodySize: 2_621_440,
  maxUploadSize: 104_857_600,
  maxFileSize: 104_857_600,
  maxFiles: 100,
  maxFields: 1000,
  maxJsonDepth: 200,
  fileMemory: 65_536,
};

/** What requests need to know of their application; one object for all of them. */
export interface RequestSettings {
  readonly debug: boolean;
  /** Host names: exact, `.example.com` (and everything below), `*`. Empty: the names of this machine's loopback. */
  readonly allowedHosts: readonly string[];
  /** The first signs, all verify. */
  readonly secretKeys: readonly string[];
  readonly trustedProxies: BlockList | null;
  readonly limits: RequestLimits;
  /** Folder for large uploads; null: the system's. */
  readonly uploadFolder: string | null;
}

export const defaultSettings: RequestSettings = {
  debug: false,
  allowedHosts: [],
  secretKeys: [],
  trustedProxies: null,
  limits: defaultLimits,
  uploadFolder: null,
};
