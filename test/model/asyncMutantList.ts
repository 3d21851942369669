/**
 * Every line that async sections, callbacks and barriers rest on, removed or changed, and the
 * scenario that must notice. As mutantList.ts.
 */

import { ASYNC_VICTIM, asyncDeaths, asyncScenarios } from './asyncScenarios.ts'
import { CALL_VICTIM, callDeaths, callScenarios } from './callScenarios.ts'
import { caught, type Trial } from './trial.ts'

const byAsync = caught(asyncScenarios)
const byCalls = caught(callScenarios)
const byAsyncDeath = caught((lib) => Object.values(asyncDeaths(lib)), { victim: ASYNC_VICTIM })
const byCallDeath = caught((lib) => Object.values(callDeaths(lib)), { victim: CALL_VICTIM })

const TRACKERS = 'smr/trackers'
const STALL = 'smr/stall'
const REAP = 'smr/reap'
const CALL = 'smr/call'
const BARRIER = 'smr/call'

const OVERLAP = 'async, default, fenced: overlapping sections'
const PLAINLY = 'async, default, fenced: the same, pointers loaded plainly'
const BETWEEN = 'async, default, fenced: the hand moves between'
const BESIDE = 'async, default, fenced: beside a synchronous section'
const NAMES = 'async, default, fenced: names'

const X1 = 'memory.load(wrAt), starting); // [X1]'
const X2 = 'this.memory.store(this.reader + ReaderWords.asyncSeq, seq); // [X2]'
const NEXT = 'this.publishOldest(this.follow());\n        return true;'
const ASYNC_WORD = 'this.reader + ReaderWords.asyncSeq'

const ASYNC_TRIALS: readonly Trial[] = [
  byAsync(OVERLAP, [
    '[X1] the first section publishes nothing',
    TRACKERS,
    `publish(memory, wrAt, ${ASYNC_WORD})`,
    'memory.load(wrAt)',
  ]),
  byAsync(PLAINLY, [
    '[X1] the write hand is loaded plainly',
    TRACKERS,
    X1,
    'memory.peekRacy(wrAt), starting);',
  ]),
  byAsync(OVERLAP, [
    '[X1] a later section publishes its own sequence',
    TRACKERS,
    X1,
    `memory.load(wrAt), starting); memory.store(${ASYNC_WORD}, tracker.seq);`,
  ]),
  byAsync(BETWEEN, [
    '[X2] the word is cleared, then the next one published',
    TRACKERS,
    X2,
    `this.memory.store(${ASYNC_WORD}, INVALID); ${X2}`,
  ]),
  byAsync(BETWEEN, [
    '[X2] the newest of the others is published, not the oldest',
    TRACKERS,
    NEXT,
    'this.publishOldest([...this.open].at(-1)); return true;',
  ]),
  byAsync(OVERLAP, [
    '[X2] what the oldest leaves behind is cleared',
    TRACKERS,
    NEXT,
    'this.publishOldest(undefined); return true;',
  ]),
  byAsync(OVERLAP, ['[X2] a plain store', TRACKERS, X2, X2.replace('store', 'poke')]),
  byAsync(OVERLAP, ['[X2] nothing is stored', TRACKERS, X2, '']),
  byAsync(OVERLAP, [
    '[X2] whoever leaves is taken for the oldest',
    TRACKERS,
    'if (this.oldest === undefined || !this.open.has(this.oldest))',
    'this.open.clear();',
  ]),
  byAsync(OVERLAP, [
    '[S2] the async word is not looked at',
    'smr/poll',
    'if (!this.sleepable)\n            return seq;',
    'return seq;',
  ]),
  byAsync(BESIDE, [
    '[S2] of two words the later counts',
    'smr/poll',
    'lt(other, seq)) ? other : seq',
    'lt(seq, other)) ? other : seq',
  ]),
  byAsync(NAMES, [
    '[L] labels have no number',
    STALL,
    'const number = ((before >>> LENGTH_BITS) + 1) << LENGTH_BITS;',
    'const number = 0 * before;',
  ]),
  byAsync(NAMES, [
    '[L] the number is not looked at again',
    STALL,
    'memory.load(reader + ReaderWords.labelBytes) === word ? label',
    'true ? label',
  ]),
  byAsync(NAMES, [
    '[L] the sequence stands while the text is written',
    STALL,
    'memory.store(reader + ReaderWords.labelSeq, INVALID);\n    const { bytes',
    'const { bytes',
  ]),
  byAsync(NAMES, [
    '[L] a label is anybody’s',
    STALL,
    'memory.load(reader + ReaderWords.labelSeq) !== seq',
    'false',
  ]),
  byAsyncDeath('async, default, fenced: death', [
    'the dead: an async section stays open',
    REAP,
    'memory.swap(reader + ReaderWords.asyncSeq, INVALID) !== INVALID',
    'memory.load(reader + ReaderWords.asyncSeq) !== INVALID',
  ]),
]

const COMPLETED = 'this.memory.add(this.reader + ReaderWords.completed, 1); // [C]'
const RUNNING = 'this.running = true;'
const DROPPED = 'memory.swap(reader + ReaderWords.completed, queued)'
const A_CALLBACK = 'calls, default, fenced: a callback against a reader'
const A_BARRIER = 'calls, default, fenced: a barrier'
const HELD = 'calls, default, turn: a barrier and a callback queued in a section'

const CALL_TRIALS: readonly Trial[] = [
  byCalls(A_BARRIER, [
    '[C] completed before the callback has run',
    CALL,
    RUNNING,
    `${RUNNING} this.completeRunning();`,
  ]),
  byCalls(A_BARRIER, [
    '[C] completed by a plain store',
    CALL,
    COMPLETED,
    'this.memory.poke(this.reader + ReaderWords.completed, this.memory.peek(this.reader + ReaderWords.completed) + 1);',
  ]),
  byCalls(A_BARRIER, ['[C] never completed', CALL, COMPLETED, ';']),
  byCalls('calls, default, fenced: a worker leaves', [
    'a leaving worker completes nothing',
    CALL,
    'const lost = isOver ? 0 : dropCalls(this.memory, this.reader);',
    'const lost = 0;',
  ]),
  byCalls(A_BARRIER, [
    'a callback is counted when it is too late',
    CALL,
    'memory.add(reader + ReaderWords.queued, 1);',
    '',
  ]),
  byCalls(A_CALLBACK, [
    'callbacks run without a poll',
    CALL,
    'if (batch.next === 0 && !this.isMet(batch))\n                return true;',
    '',
  ]),
  byCalls(A_CALLBACK, [
    'a batch is sealed with what the hand shows',
    CALL,
    'goals.stamp()',
    'goals.clock.wr()',
  ]),
  byCalls('calls, deferred, fenced: a callback against a reader', [
    'polls for callbacks stay patient for ever',
    CALL,
    'hurry ? URGENT : PATIENT',
    'PATIENT',
  ]),
  byCalls(A_BARRIER, [
    'a barrier marks what is completed, not what is queued',
    BARRIER,
    'queued: memory.load(readers.address(slot) + ReaderWords.queued)',
    'queued: memory.load(readers.address(slot) + ReaderWords.completed)',
  ]),
  byCalls(HELD, [
    'a callback that was queued in a section counts when the section has ended',
    'smr/domain',
    'this.myCalls().queue(callback, 0, false);',
    'const queue = () => this.myCalls().queue(callback, 0, false); if (this.inside) this.space.turn.later(queue, 0, true); else queue();',
  ]),
  byCalls(HELD, [
    'callbacks that were queued in a section run without a poll',
    CALL,
    'if (batch.next === 0 && !this.isMet(batch))',
    'if (batch.next === 0 && batch.callbacks.length > 1)',
  ]),
  byCalls('calls, default, fenced: a barrier and later ones', [
    'a barrier waits for later ones as well',
    BARRIER,
    '((completed - queued) | 0) < 0',
    '((completed - memory.load(this.readers.address(slot) + ReaderWords.queued)) | 0) < 0 && queued !== undefined',
  ]),
  byCalls('calls, default, fenced: a reaper that died', [
    'a mark has no name',
    BARRIER,
    'workers.idOf(slot) === workerId && ',
    '',
  ]),
  byCallDeath('calls, default, fenced: death', [
    'the dead: their callbacks are not completed',
    REAP,
    DROPPED,
    'memory.load(reader + ReaderWords.completed)',
  ]),
  byCallDeath('calls, default, fenced: death', [
    'the dead: what they ran is not counted',
    CALL,
    'memory.tally(reader + ReaderWords.callsRun, this.uncountedRun);',
    '',
  ]),
  byCallDeath('calls, default, fenced: death beside a barrier', [
    'the dead: nobody completes for them',
    'arena/reap',
    'const lost = dropCallsOf(space, address, slot);',
    'const lost = 0;',
  ]),
]

export const CONCURRENT_TRIALS: readonly Trial[] = [...ASYNC_TRIALS, ...CALL_TRIALS]
