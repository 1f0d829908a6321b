import { encode } from 'uqr';

/**
 * The squares of a QR code, row by row: true is dark. `null`: the text is too long for one.
 * @param border squares of light around it
 */
export function qrSquares(text: string, border: number): readonly (readonly boolean[])[] | null {
  try {
    return encode(text, { ecc: 'L', border }).data;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
