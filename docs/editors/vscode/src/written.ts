// What a task has written, as the server keeps it.
import type { Stream, Task } from '../../../../schema/jobline';
import type { Queue } from './queue';

export const streams: readonly Stream[] = ['stdout', 'stderr', 'log'];
/** How far each stream was read, in bytes. */
export type Offsets = Record<Stream, number>;
/** A part of all streams. */
export interface Part { text: string; next: Offsets; missing: number; more: boolean }

const pieceBytes = 1 << 20; // the most that the server answers with

interface Piece { bytes: Buffer; offset: number }

/** Whether the log of a task only tells in which order it wrote to its two other streams. */
export function ordersStreams(task: Task): boolean {
  return task.type === 'exec' && (task.input as { stderr?: string } | undefined)?.stderr === 'ordered';
}

/** Reads a part of all streams, from these offsets or the last bytes of each. missing counts bytes that are not kept. */
export async function readPart(queue: Queue, id: string, from: Offsets | number, ordered: boolean): Promise<Part> {
  const replies = await Promise.all(streams.map((stream) => queue.call('output', {
    id, stream, limit: pieceBytes, ...(typeof from === 'number' ? { tailBytes: from } : { offset: from[stream] }),
  })));
  const part: Part = { text: '', next: { stdout: 0, stderr: 0, log: 0 }, missing: 0, more: false };
  const pieces = replies.map((reply, i): Piece => {
    const stream = streams[i]!, shown = !(ordered && stream === 'log');
    if (shown) part.missing += reply.offset - (typeof from === 'number' ? 0 : from[stream]);
    part.next[stream] = reply.nextOffset;
    const bytes = Buffer.from(reply.data, reply.encoding);
    if (bytes.length >= pieceBytes - 4) part.more = true; // a piece ends before a character that is cut
    return { bytes, offset: reply.offset };
  });
  const [out, err, log] = pieces as [Piece, Piece, Piece];
  part.text = ordered ? inOrder(out, err, log.bytes.toString()) : pieces.map(({ bytes }) => bytes.toString()).join('');
  return part;
}

/** Joins two streams. Each line of the order is a stream, and up to where it was written before the other went on. */
function inOrder(out: Piece, err: Piece, order: string): string {
  const at = { stdout: 0, stderr: 0 }, pieces = { stdout: out, stderr: err };
  let text = '';
  const take = (stream: 'stdout' | 'stderr', upTo: number): void => {
    const { bytes, offset } = pieces[stream], end = Math.min(upTo - offset, bytes.length);
    if (end <= at[stream]) return;
    text += bytes.toString('utf8', at[stream], end);
    at[stream] = end;
  };
  for (const line of order.split('\n')) {
    const [stream, upTo] = line.split(' ');
    if (stream === 'stdout' || stream === 'stderr') take(stream, Number(upTo));
  }
  take('stdout', Infinity);
  take('stderr', Infinity);
  return text;
}
