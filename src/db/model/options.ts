/** Options of a model: Django's `class Meta`. */
export interface ModelOptions {
  /** The table. Default: `<app>_<model>` in lower case. */
  readonly table?: string;
  /** The app label, where defineApp does not give it. */
  readonly app?: string;
  /** Default order, as for orderBy: ['-published', 'title']. */
  readonly ordering?: readonly string[];
  /** Its fields are for subclasses made with extend(); it has no table. */
  readonly abstract?: boolean;
  /** False: migrations leave its table alone. Default true. */
  readonly managed?: boolean;
  readonly indexes?: readonly Deconstructible[];
  readonly constraints?: readonly Deconstructible[];
  /** Groups of fields that are unique together. */
  readonly uniqueTogether?: readonly (readonly string[])[];
  /** The field for latest() and earliest(), when they get none. */
  readonly getLatestBy?: string | readonly string[];
  readonly verboseName?: string;
  readonly verboseNamePlural?: string;
  readonly comment?: string;
  /** 'raise': relations that were not loaded with the query are refused instead of fetched. */
  readonly relations?: 'fetch' | 'raise';
}

export interface Deconstructible {
  deconstruct(): { readonly kind: string; readonly options: Readonly<Record<string, unknown>> };
}
