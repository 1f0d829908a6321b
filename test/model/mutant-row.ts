/** In `file` of core/authz, `find`, which stands there once, becomes `replace`. */
export type Row = readonly [clause: string, file: string, find: string, replace: string];
