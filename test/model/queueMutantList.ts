/**
 * Every line of the queues and of pointers that safety rests on, removed or changed, and the scenario
 * that must notice. As in mutantList.ts.
 */

import { pointerScenarios, queueDeaths, queueScenarios, VICTIM } from './queueScenarios.ts'
import type { Kind } from './queueStage.ts'
import { caught, type Trial } from './trial.ts'

const byQueue = caught(queueScenarios)
const byDeath = caught(queueDeaths, { victim: VICTIM })
const byPointer = caught(pointerScenarios)

const LINKAGE = 'lists/linkage'
const QUEUE = 'lists/queue'
const POINTER = 'lists/pointer'
const PUBLISH = 'memory.store(at, item); // [Q1]'
const UNLINK = 'memory.store(at, next); // [Q2]'
const APPEND = 'memory.store(at, first); // [Q3]'
const REPLACE = 'this.publish(at, item, next); // [Q4]'

const kinds = (...names: Kind[]): readonly Kind[] => names
/** The smallest and the largest: between them all paths through the lines that they share. */
const BOTH = kinds('SmrSList', 'SmrTailQ')
const DOUBLY = kinds('SmrList', 'SmrTailQ')
const TAIL = kinds('SmrStailQ', 'SmrTailQ')

/** The same change, for each of these types. */
function forEach(
  which: readonly Kind[],
  scenario: string,
  [name, file, find, replace]: readonly [string, string, string, string],
): Trial[] {
  return which.map((kind) =>
    byQueue(`${kind}: ${scenario}`, [`${kind}: ${name}`, file, find, replace]),
  )
}

export const QUEUE_TRIALS: readonly Trial[] = [
  // ---- [Q1] publication --------------------------------------------------------------------------
  ...forEach(BOTH, 'walk against inserts', [
    '[Q1] plain publication',
    LINKAGE,
    PUBLISH,
    'memory.poke(at, item);',
  ]),
  ...forEach(BOTH, 'walk against inserts', [
    '[Q1] published before its next is set',
    LINKAGE,
    PUBLISH,
    'memory.store(word, 0); memory.store(at, item); memory.store(word, next);',
  ]),
  ...forEach(kinds('SmrList'), 'walk against a move to another queue', [
    'next of a new element is stored plainly',
    LINKAGE,
    'memory.store(word, next);',
    'memory.poke(word, next);',
  ]),
  ...forEach(kinds('SmrSList'), 'walk against inserts', [
    'a reader loads the head plainly',
    QUEUE,
    'enteredFirst() {\n        return this.links.memory.load(',
    'enteredFirst() {\n        return this.links.memory.peek(',
  ]),
  ...forEach(kinds('SmrStailQ'), 'walk against inserts', [
    'a reader loads next plainly',
    QUEUE,
    "return links.memory.load(links.wordOf('enteredNext', item))",
    "return links.memory.peek(links.wordOf('enteredNext', item))",
  ]),
  // ---- [Q2] unlink -------------------------------------------------------------------------------
  ...forEach(BOTH, 'walk against removal of neighbours', [
    '[Q2] removal clears next',
    LINKAGE,
    UNLINK,
    'memory.store(at, next); memory.store(word, 0);',
  ]),
  ...forEach(BOTH, 'walk against removal of neighbours', [
    '[Q2] plain unlink',
    LINKAGE,
    UNLINK,
    'memory.poke(at, next);',
  ]),
  ...forEach(BOTH, 'walk against erasure of both ends', [
    '[Q2] the way is cut before it is joined',
    LINKAGE,
    UNLINK,
    'memory.store(at, 0); memory.store(at, next);',
  ]),
  // ---- [Q3] append -------------------------------------------------------------------------------
  ...forEach(BOTH, 'walks against append', [
    '[Q3] plain append',
    LINKAGE,
    APPEND,
    'memory.poke(at, first);',
  ]),
  ...forEach(BOTH, 'walks against append to nothing', [
    '[Q3] append empties its source',
    LINKAGE,
    APPEND,
    'memory.store(at, first); memory.store(src.head, 0);',
  ]),
  ...forEach(kinds('SmrSList'), 'walks against append', [
    '[Q3] append cuts what it appends until it is right',
    LINKAGE,
    APPEND,
    'const rest = src.follow(src.after(first)); memory.store(src.after(first), 0); memory.store(at, first); memory.store(src.after(first), rest);',
  ]),
  ...forEach(DOUBLY, 'walks against append', [
    'append leaves prev of the first element',
    LINKAGE,
    'memory.poke(this.prevOf(first), at);',
    ';',
  ]),
  ...forEach(TAIL, 'walks against append', [
    'append leaves last',
    LINKAGE,
    'this.setBehind(srcEnd, NULL_ITEM);',
    '',
  ]),
  ...forEach(BOTH, 'walks against append', [
    'init empties plainly',
    LINKAGE,
    'this.memory.store(this.head, 0);',
    'this.memory.poke(this.head, 0);',
  ]),
  // ---- [Q4] replacement --------------------------------------------------------------------------
  ...forEach(BOTH, 'walk against replacement of neighbours', [
    '[Q4] replaced in two steps',
    LINKAGE,
    REPLACE,
    'this.memory.store(at, next); this.publish(at, item, next);',
  ]),
  ...forEach(BOTH, 'walk against replacement of neighbours', [
    '[Q4] replacement clears next of the old one',
    LINKAGE,
    REPLACE,
    'this.publish(at, item, next); this.memory.store(oldWord, 0);',
  ]),
  // ---- death -------------------------------------------------------------------------------------
  ...kinds('SmrList', 'SmrStailQ', 'SmrTailQ').map((kind) =>
    byDeath(`${kind}: death in insert`, [
      `${kind}: repair counts only`,
      LINKAGE,
      'repair() { this.seek(() => false);',
      'repair() { let n = 0; this.seek(() => (n++, false)); return n;',
    ]),
  ),
  // ---- pointers ----------------------------------------------------------------------------------
  byPointer('pointer: store against a reader', [
    '[P1] a pointer is published plainly',
    POINTER,
    'this.memory.store(this.address, this.checked(verb, value));',
    'this.memory.poke(this.address, this.checked(verb, value));',
  ]),
  byPointer('pointer: store against a reader', [
    '[P1] a reader loads a pointer plainly',
    POINTER,
    'enteredLoad() {\n        return this.memory.load(',
    'enteredLoad() {\n        return this.memory.peek(',
  ]),
  byPointer('pointer: clear against a reader', [
    '[P2] a pointer is cleared plainly',
    POINTER,
    'this.memory.store(this.address, NULL_ITEM);',
    'this.memory.poke(this.address, NULL_ITEM);',
  ]),
  byPointer('pointer: two swap against a reader', [
    'a swap is a load and a store',
    POINTER,
    "return this.memory.swap(this.address, this.checked('serializedSwap', value));",
    'const old = this.memory.load(this.address); this.memory.store(this.address, value); return old;',
  ]),
]
