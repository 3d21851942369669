/**
 * Every line of the ordered table that safety rests on, removed or changed, and the scenario that must
 * notice. As tableMutantList.ts.
 */

import { orderDeaths, VICTIM } from './orderDeaths.ts'
import { orderEnds } from './orderEnds.ts'
import { orderHistories } from './orderHistories.ts'
import { orderScenarios } from './orderScenarios.ts'
import { caught, type Trial } from './trial.ts'

const byReader = caught(orderScenarios)
const byHistory = caught(orderHistories)
const byDeath = caught(orderDeaths, { victim: VICTIM })
const byEnd = caught(orderEnds, { victim: VICTIM })

const TRIE = 'order/trie'
const WRITER = 'order/writer'
const GUARD = 'order/guard'
const OPEN = 'order/open'
const COMPOUND = 'memory/compound'

const NODES = 'ordered: lookup against nodes that come and go'
const NEIGHBOUR = 'ordered: lookup of a neighbour against a node that goes'
const REPLACE = 'ordered: lookup against replace'
const FAR_NEAR = 'ordered: linearizable: a far key comes before the near one goes'
const NEAR_FAR_UP = 'ordered: linearizable: a near key comes before a far one, upwards'
const GOES_UP = 'ordered: linearizable: a near key goes, upwards'
const SKIPPED = 'ordered: linearizable: keys that differ where no node does'
const FILLED = 'ordered: a walk while a slot is filled and emptied'
const MET = 'ordered: what a lookup has found a walk meets'

const PUBLISH_OVER =
  'memory.store(this.linkAt, item | TrieLink.record); // [P]\n hands.made = NULL_ITEM; hands.placed.held = 0; hands.replaced'
const PUBLISH_NODE = 'memory.store(linkAt, node); // [P]'
const COLLAPSE = 'memory.store(nodeLinkAt, other); // [P]'
const EMPTY = 'memory.store(linkAt, 0); // [P]'
const SECOND_LOOK = 'if (memory.load(changesAt) === before)'
const SET_BIT =
  'if (this.node !== 0) { memory.or(this.node + TrieWords.head, 1 << (this.linkAt - this.node - TrieWords.slots)); }'
const FILL =
  'memory.store(this.linkAt, item | TrieLink.record); // [P]\n hands.made = NULL_ITEM; hands.placed.held = 0; memory.poke(hands.handAt, NULL_ITEM); }'
const CLEAR_BIT = 'memory.and(node + TrieWords.head, ~(1 << (linkAt - node - TrieWords.slots)));'

/** The writer is interrupted twice, and the reader once. */
const BEGINS = { rules: { bound: 3 } }

export const ORDER_TRIALS: readonly Trial[] = [
  // ---- one key ---------------------------------------------------------------------------------
  byReader(REPLACE, [
    'ordered: plain publication of a record',
    WRITER,
    PUBLISH_OVER,
    PUBLISH_OVER.replace('store', 'poke'),
  ]),
  byReader(REPLACE, [
    'ordered: what is replaced is given back at once',
    WRITER,
    'this.zone.zfreeSmr(replaced);',
    'this.zone.giveHeldBack(this.zone.holdRaw(replaced));',
  ]),
  byReader(NODES, [
    'ordered: plain publication of a node',
    WRITER,
    PUBLISH_NODE,
    PUBLISH_NODE.replace('store', 'poke'),
  ]),
  byReader(NODES, [
    'ordered: a node is published before it is filled',
    WRITER,
    'memory.fill(node + TrieWords.slots, DIGITS, 0);',
    'memory.store(linkAt, node); memory.fill(node + TrieWords.slots, DIGITS, 0);',
  ]),
  byReader(NODES, [
    'ordered: a node is given back at once',
    WRITER,
    'this.nodes.zfreeSmr(node);',
    'this.nodes.giveHeldBack(this.nodes.holdRaw(node));',
  ]),
  byReader(NEIGHBOUR, [
    'ordered: a node loses its links when it is taken out',
    WRITER,
    COLLAPSE,
    `${COLLAPSE}\n for (let i = 0; i < DIGITS; i++) memory.store(node + TrieWords.slots + i, 0);`,
  ]),
  byReader(NEIGHBOUR, [
    'ordered: a node is freed before it is taken out',
    WRITER,
    COLLAPSE,
    `this.nodes.zfreeSmr(node); this.nodes.seal(); this.node = 0; ${COLLAPSE}\n return;`,
  ]),
  byReader(NODES, [
    'ordered: lookups load links plainly',
    TRIE,
    'link = memory.load(link + TrieWords.slots + key.digit(above));',
    'link = memory.peek(link + TrieWords.slots + key.digit(above));',
  ]),
  byReader('ordered: one reader, two writers of one node', [
    'ordered: no lock',
    GUARD,
    'space.locks.acquireAndRepair(lockAt, what, () => this.repair());',
    '',
  ]),
  byReader('ordered: two writers that need the same node', [
    'ordered: after a node was fetched the place is not looked for again',
    WRITER,
    'const old = this.descend();',
    'const old = this.madeNode === 0 ? this.descend() : 0;',
  ]),
  byHistory('ordered: linearizable: any two calls beside two writes', [
    'ordered: a node with three links is taken out',
    WRITER,
    'if (other !== 0) return 0;',
    '',
  ]),

  // ---- the nearest key -------------------------------------------------------------------------
  byHistory(NEAR_FAR_UP, [
    'ordered: no second look at the changes [V]',
    TRIE,
    SECOND_LOOK,
    'if (memory.load(changesAt) >= before)',
  ]),
  byHistory(
    GOES_UP,
    [
      'ordered: a walk begins while keys come or go [V]',
      TRIE,
      'if ((before & 1) === 0) {',
      'if (before >= 0) {',
    ],
    BEGINS,
  ),
  byHistory(GOES_UP, [
    'ordered: changes are told only when they are done [V]',
    WRITER,
    'guard.change(); this.unlink(old);',
    'this.unlink(old); guard.change();',
  ]),
  byHistory(SKIPPED, [
    'ordered: digits that were skipped are not compared',
    TRIE,
    'if (level === own) {',
    'if (level <= own) {',
  ]),

  byHistory(FAR_NEAR, [
    'ordered: no second look at the changes, keys of a word [V]',
    COMPOUND,
    'return memory.load(changesAt) === before ? item : UNSURE;',
    'return memory.load(changesAt) >= before ? item : UNSURE;',
  ]),
  byHistory(SKIPPED, [
    'ordered: digits that were skipped are not compared, keys of a word',
    COMPOUND,
    'if (differs >= level) {',
    'if (differs >= 0) {',
  ]),
  byHistory('ordered: linearizable: replaced while it is looked for', [
    'ordered: the floor of a word loads links plainly',
    COMPOUND,
    'link = memory.load(node + FIRST_DIGIT + digit);',
    'link = memory.peek(node + FIRST_DIGIT + digit);',
  ]),

  // ---- walks -----------------------------------------------------------------------------------
  byReader(MET, [
    'ordered: a bit is set after its link',
    WRITER,
    `${SET_BIT} ${FILL}`,
    `${FILL.slice(0, -1)} ${SET_BIT} }`,
  ]),
  byReader(MET, [
    'ordered: a bit is cleared before its link',
    WRITER,
    EMPTY,
    `if (node !== 0) ${CLEAR_BIT} ${EMPTY}`,
  ]),
  byReader(FILLED, [
    'ordered: a walk ends where a record has gone',
    TRIE,
    'if (this.link !== 0) return found;',
    'if (this.link !== 0) return found; else return NONE;',
  ]),

  // ---- deaths ----------------------------------------------------------------------------------
  byDeath('ordered: death in insert that splits', [
    'ordered: nobody counts again after a death',
    GUARD,
    'memory.store(this.recordsAt, trie.mend((item) => held.length > 0 && forget(space, held, item)));',
    '',
  ]),
  byDeath('ordered: death in delete that collapses', [
    'ordered: a change is not ended after a death',
    GUARD,
    'memory.add(trie.changesAt, 1);',
    ';',
  ]),
  byEnd('ordered: death in destroy', [
    'ordered: what is left of an ended table counts as the table',
    OPEN,
    'const namesake = find(Named.ordered); if (namesake !== undefined && !endWithoutZone(space, namesake))',
    'const namesake = find(Named.ordered); if (namesake !== undefined)',
  ]),
]
