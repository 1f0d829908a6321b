declare const brand: unique symbol;

/** A string or number that only its own module makes: `Brand<string, 'DeviceId'>`. Erased at run time. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
