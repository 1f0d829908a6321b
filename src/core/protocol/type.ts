/**
 * The words of typebox in which shapes are written here. Whoever imports its `Type` gets all of it: most is a parser
 * and an engine for types that are computed from other types, which nothing here needs, and which cost the idle gateway
 * 3 MiB. So this is the one file that takes values of it.
 */
import { type Static, type TSchema, type TString, type TUnsafe, Unsafe } from 'typebox';

export {
  Array,
  Boolean,
  Enum,
  Integer,
  Literal,
  Null,
  Number,
  Object,
  Optional,
  String,
  Union,
  Unknown,
} from 'typebox';

/** An object with any names that fit the pattern of `key`, all of them where it has none. */
export function Record<Value extends TSchema>(
  key: TString & { readonly pattern?: string },
  value: Value,
  options: { readonly title?: string } = {},
): TUnsafe<{ [name: string]: Static<Value> }> {
  return Unsafe({ type: 'object', patternProperties: { [key.pattern ?? '^.*$']: value }, ...options });
}
