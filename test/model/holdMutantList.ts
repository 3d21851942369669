/**
 * Every line that holds rest on, removed or changed, and the scenario that must notice: as
 * tableMutantList.ts.
 */

import { holdDeaths, holdScenarios } from './holdScenarios.ts'
import { caught, type Trial } from './trial.ts'

const byHold = caught(holdScenarios)
const byDeath = caught(holdDeaths, { victim: 'victim' })

const HOLDS = 'table/holds'
const WRITER = 'table/writer'

const REPLACED = 'holds: against a replacement, and who uses its memory'
const DELETED = 'holds: against a deletion, and the next row of that key'
const TWO = 'holds: two let go of what a third deletes'
const SELF = 'holds: the holder itself replaces and deletes'
const HOLDER_DIES = 'death in hold, of rows that are held'
const TWO_ARE_LEFT = 'death in deleting two that it holds, of rows that are held'

export const HOLD_TRIALS: readonly Trial[] = [
  // ---- to hold against to take out: [H] --------------------------------------------------------
  byHold(REPLACED, [
    'holds: [H] a holder does not load the word again',
    HOLDS,
    'if (memory.load(at) === HELD) {',
    'if (true) {',
  ]),
  byHold(DELETED, [
    'holds: [H] a holder does not say that it may hold',
    HOLDS,
    'memory.cas(at, 0, HELD); // [H]',
    '',
  ]),
  byHold(REPLACED, [
    'holds: [H] a holder writes its entry after the second look',
    HOLDS,
    'memory.store(entry, item | UNSURE); // [H]',
    '',
  ]),
  byHold(DELETED, [
    'holds: [H] who takes out looks before it has said so',
    HOLDS,
    'memory.or(at, ENDED); // [H]\n        this.letGo(entry, item);',
    'this.letGo(entry, item); memory.or(at, ENDED);',
  ]),
  byHold(TWO, [
    'holds: a holder that is late leaves it to nobody',
    HOLDS,
    'this.drop(entry, item);\n        return false;',
    'memory.store(entry, 0); return false;',
  ]),
  // ---- two let go: [L] -------------------------------------------------------------------------
  byHold(TWO, [
    'holds: [L] the look comes before the entry is cleared',
    HOLDS,
    'this.memory.store(entry, 0); // [L]\n        this.decided = item;\n        this.mine = 0;\n        if (this.isOurs(item))\n            this.mine = item;',
    'const ours = this.isOurs(item); this.memory.store(entry, 0); this.decided = item; this.mine = ours ? item : 0;',
  ]),
  byHold(TWO, [
    'holds: [L] the last step is a load and a store',
    HOLDS,
    'return memory.cas(at, BOTH, freedBy(this.space.slot)) === BOTH;',
    'memory.store(at, freedBy(this.space.slot)); return true;',
  ]),
  byHold(REPLACED, [
    'holds: nobody looks at the entries of others',
    HOLDS,
    ' || this.isNamed(item)',
    '',
  ]),
  byHold(REPLACED, [
    'holds: entries that are being written do not count',
    HOLDS,
    '(memory.load(at + HolderWords.items + i) & ~UNSURE) === item',
    'memory.load(at + HolderWords.items + i) === item',
  ]),
  byHold(SELF, [
    'holds: who lets go is in no section',
    HOLDS,
    'this.smr.enterInCall();\n        try {\n            this.drop(entry, item);\n        }\n        finally {\n            this.smr.exit();\n        }',
    'this.drop(entry, item);',
  ]),
  // ---- the writer ------------------------------------------------------------------------------
  byHold(REPLACED, [
    'writer: a record is freed although it is held',
    WRITER,
    'if (holds.mine === replaced)',
    'if (true)',
  ]),
  byHold(DELETED, [
    'writer: the word of the record before stays',
    WRITER,
    'this.holds?.init(item);',
    '',
  ]),
  byHold(TWO, [
    'writer: who lets go last frees nothing',
    WRITER,
    'hands.replaced = holds.mine;',
    'hands.replaced = NULL_ITEM;',
  ]),
  // ---- deaths ----------------------------------------------------------------------------------
  byDeath(HOLDER_DIES, [
    'holds: nobody looks for workers that are gone',
    HOLDS,
    'if (this.space.workers.isGone(owner))\n                    this.empty(at);',
    '',
  ]),
  byDeath(TWO_ARE_LEFT, [
    'holds: what a dead worker held is forgotten, not let go of',
    HOLDS,
    'if ((item & UNSURE) === 0 && this.isOurs(item))',
    'if (false)',
  ]),
]
