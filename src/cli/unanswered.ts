/** Nobody serves the owner socket of this state directory. */
export class GatewayDown extends Error {
  override readonly name = 'GatewayDown';
}

/** The gateway's process is there and takes connections, but does not answer. */
export class GatewayBusy extends Error {
  override readonly name = 'GatewayBusy';
}

/** By name, as all errors are told here: the parts of the program are shipped apart, each with classes of its own. */
export function isDown(error: unknown): error is GatewayDown {
  return error instanceof Error && error.name === 'GatewayDown';
}

export function isBusy(error: unknown): error is GatewayBusy {
  return error instanceof Error && error.name === 'GatewayBusy';
}
