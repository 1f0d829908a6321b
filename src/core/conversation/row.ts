import type { Instant } from '../base/instant.ts';
import type { RunId } from '../lane/lane.ts';
import type { SessionId, Usage } from './session.ts';

/** Who said it, for the model and for people: names are as claimed. */
export interface Sender {
  /** `person`: somebody whose device may talk to the agent. `outside`: what came from elsewhere; it instructs nobody. */
  readonly kind: 'person' | 'outside' | 'gateway';
  readonly name: string | null;
}

export interface Attachment {
  readonly name: string;
  /** `image/png`, `text/plain`, …. */
  readonly mediaType: string;
  readonly bytes: number;
  /** SHA-256 of the content, which stands apart from the row. */
  readonly sha256: string;
}

/** One thing that was said or done. */
export type RowBody =
  | { readonly kind: 'user'; readonly text: string; readonly from: Sender; readonly attachments: readonly Attachment[] }
  | {
      readonly kind: 'assistant';
      readonly text: string;
      readonly calls: readonly ToolCall[];
      /** `provider/model`. */
      readonly model: string;
      readonly usage: Usage;
      /** `partial`: the run ended before the model had. */
      readonly stop: 'stop' | 'length' | 'tools' | 'partial';
    }
  | ({ readonly kind: 'tool' } & ToolResult)
  /** Put in by somebody, as the agent's words (`chat.inject`). */
  | { readonly kind: 'note'; readonly text: string; readonly label: string | null }
  /** A command to the gateway and what it answered: people see both, the model is told neither. */
  | { readonly kind: 'command'; readonly text: string; readonly from: Sender; readonly answer: string }
  /** Sums up the rows up to `through`, for the model; people still see the rows. */
  | { readonly kind: 'summary'; readonly text: string; readonly through: number };

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** Its JSON, as the model wrote it. */
  readonly input: string;
}

export interface ToolResult {
  /** The id of the call. */
  readonly call: string;
  readonly name: string;
  readonly text: string;
  readonly failed: boolean;
}

export interface Row {
  readonly session: SessionId;
  /** From 1, without a gap. */
  readonly seq: number;
  readonly at: Instant;
  readonly run: RunId | null;
  readonly body: RowBody;
}
