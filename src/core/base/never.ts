/** Put in the default branch of a switch: a member of the union that nobody handles does not compile. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
