/**
 * Machine-made mutants that survive because they are no bugs, and why. A mutant is named by its key
 * (mutate.ts): file, function, operator and text, no lines. `npm run mutants` fails for a survivor that is
 * not here, and for a line here whose mutant is gone or is caught.
 */

interface Reason {
  readonly why: string
  readonly mutants: readonly string[]
}

const REASONS: readonly Reason[] = [
  {
    why: "Words of the depot's index, with its lock held: nobody else reads them before the lock is free, and whoever takes it after a death or an exception makes all of them anew from owners and goals (`rebuild`).",
    mutants: [
      'zone/depotLists | DepotLists.append | exchange | const tail = this.checked(DepotWords.pendingTail, Owner.pending); this.set(bucket + BucketWords.owner, Owner.pending);',
      'zone/depotLists | DepotLists.append | exchange | this.set(bucket + BucketWords.next, 0); if (tail === 0) this.set(this.at + DepotWords.pendingHead, bucket); else this.set(tail + BucketWords.next, bucket);',
      'zone/depotLists | DepotLists.append | exchange | if (tail === 0) this.set(this.at + DepotWords.pendingHead, bucket); else this.set(tail + BucketWords.next, bucket); this.set(this.at + DepotWords.pendingTail, bucket);',
      'zone/depotLists | DepotLists.append | exchange | this.set(this.at + DepotWords.pendingTail, bucket); this.bump(DepotWords.pendingBuckets, 1);',
      'zone/depotLists | DepotLists.append | exchange | this.bump(DepotWords.pendingBuckets, 1); const items = this.bump(DepotWords.pendingItems, this.buckets.count(bucket));',
      'zone/depotLists | DepotLists.append | exchange | if (items > this.get(this.at + DepotWords.peakPending)) this.set(this.at + DepotWords.peakPending, items); if (tail === 0) this.publishOldest();',
      'zone/depotLists | DepotLists.removeFirst | exchange | this.set(bucket + BucketWords.goal, INVALID); const next = this.get(bucket + BucketWords.next);',
      'zone/depotLists | DepotLists.removeFirst | exchange | this.set(this.at + DepotWords.pendingHead, next); if (next === 0) this.set(this.at + DepotWords.pendingTail, 0);',
      'zone/depotLists | DepotLists.removeFirst | exchange | if (next === 0) this.set(this.at + DepotWords.pendingTail, 0); this.bump(DepotWords.pendingBuckets, -1);',
      'zone/depotLists | DepotLists.removeFirst | exchange | this.bump(DepotWords.pendingBuckets, -1); this.bump(DepotWords.pendingItems, -this.buckets.count(bucket));',
      'zone/depotLists | DepotLists.removeFirst | exchange | this.noteIdle(); this.publishOldest();',
      'zone/depotLists | DepotLists.pushSafe | exchange | this.push(DepotWords.safeHead, bucket); this.bump(DepotWords.safeBuckets, 1);',
      'zone/depotLists | DepotLists.pushSafe | exchange | this.bump(DepotWords.safeBuckets, 1); this.bump(DepotWords.safeItems, this.buckets.count(bucket));',
      'zone/depotLists | DepotLists.popSafe | exchange | this.bump(DepotWords.safeBuckets, -1); this.bump(DepotWords.safeItems, -this.buckets.count(bucket));',
      'zone/depotLists | DepotLists.pushEmpty | exchange | this.push(DepotWords.emptyHead, bucket); this.bump(DepotWords.emptyBuckets, 1);',
      'zone/depotLists | DepotLists.goalBeyond | exchange | items += this.buckets.count(bucket); goal = this.goalOf(bucket);',
      'zone/depotLists | DepotLists.removeFirst | exchange | this.bump(DepotWords.pendingItems, -this.buckets.count(bucket)); this.noteIdle();',
      'zone/depotLists | DepotLists.popEmpty | exchange | this.bump(DepotWords.emptyBuckets, -1); this.set(bucket + BucketWords.destroyed, 0);',
    ],
  },
  {
    why: 'Words that a batch is written down in: nobody reads any of them before `step` names the batch.',
    mutants: [
      'zone/kegBatch | KegMoves.take | exchange | this.set(this.keg + KegWords.bucket, bucket); this.set(this.keg + KegWords.stepItems, count + items);',
      'zone/kegBatch | KegMoves.give | exchange | this.set(this.keg + KegWords.bucket, bucket); this.set(this.keg + KegWords.stepItems, keep);',
      'zone/kegBatch | KegMoves.giveCounted | exchange | this.set(this.keg + KegWords.bucket, item); this.set(this.keg + KegWords.tally, tally);',
      'zone/kegBatch | KegMoves.giveCounted | exchange | this.set(this.keg + KegWords.tally, tally); this.memory.pokeFloat(this.keg + KegWords.after, this.memory.peekFloat(tally) + by);',
      "zone/kegBatch | KegMoves.giveCounted | exchange | const slab = this.slabOf(item, 'a worker gives back an item that is not its'); this.set(this.keg + KegWords.bucket, item);",
    ],
  },
  {
    why: '`step` names a take: doing it again sets all of its bits and the count, whichever of them had been set.',
    mutants: [
      'zone/kegBatch | KegMoves.take | exchange | for (let i = count; i < count + items; i++) { this.takeOne(slab, this.addresses.indexOf(slab, this.get(entries + i))); } this.set(bucket + BucketWords.count, count + items);',
    ],
  },
  {
    why: "With the keg's lock held a slab's free bits are the truth: its number of free items, the keg's and the lists are counted and made anew from them after a death or an exception.",
    mutants: [
      'zone/kegBatch | KegMoves.takeOne | exchange | clearFree(this.memory, slab, index); this.recount(slab, -1);',
      'zone/kegBatch | KegMoves.giveOne | exchange | setFree(this.memory, slab, this.addresses.indexOf(slab, item)); this.recount(slab, 1);',
      'zone/kegBatch | KegMoves.recount | exchange | this.set(slab + SlabWords.freeItems, this.get(slab + SlabWords.freeItems) + change); this.lists.count(KegWords.inSlabs, change);',
      'zone/kegBatch | KegMoves.recount | exchange | this.lists.count(KegWords.inSlabs, change); this.lists.relist(slab);',
      'zone/kegBatch | SlabLists.adopt | exchange | this.set(slab + SlabWords.freeItems, freeItems); this.count(KegWords.slabs, 1);',
      'zone/kegBatch | SlabLists.adopt | exchange | this.count(KegWords.slabs, 1); this.count(KegWords.created, this.perSlab);',
      'zone/kegBatch | SlabLists.adopt | exchange | this.count(KegWords.created, this.perSlab); this.count(KegWords.inSlabs, freeItems);',
      'zone/kegBatch | SlabLists.adopt | exchange | this.count(KegWords.inSlabs, freeItems); this.link(slab, this.listFor(freeItems));',
      'zone/kegBatch | SlabLists.forsake | exchange | this.unlink(slab); this.count(KegWords.slabs, -1);',
      'zone/kegBatch | SlabLists.forsake | exchange | this.count(KegWords.slabs, -1); this.count(KegWords.created, -this.perSlab);',
      'zone/kegBatch | SlabLists.forsake | exchange | this.count(KegWords.created, -this.perSlab); this.count(KegWords.inSlabs, -this.perSlab);',
      "zone/kegBatch | SlabLists.link | exchange | if (next !== 0) this.assertSlab(next, 'the head of a list'); this.set(slab + SlabWords.list, list);",
      'zone/kegBatch | SlabLists.link | exchange | this.set(slab + SlabWords.list, list); this.set(slab + SlabWords.next, next);',
      'zone/kegBatch | SlabLists.link | exchange | this.set(slab + SlabWords.next, next); this.set(slab + SlabWords.prev, 0);',
      'zone/kegBatch | SlabLists.link | exchange | this.set(slab + SlabWords.prev, 0); if (next !== 0) this.set(next + SlabWords.prev, slab);',
      'zone/kegBatch | SlabLists.link | exchange | if (next !== 0) this.set(next + SlabWords.prev, slab); this.set(head, slab);',
      'zone/kegBatch | SlabLists.unlink | exchange | if (next !== 0) this.set(next + SlabWords.prev, prev); this.set(before, next);',
      'zone/kegBatch | KegMoves.giveCounted | exchange | this.finishOne(); this.recount(slab, 1);',
    ],
  },
  {
    why: "Two words of the worker's own, read one after the other: nobody else writes them meanwhile.",
    mutants: [
      'zone/kegBatch | KegMoves.redo | exchange | const [first, end] = step === KegStep.take ? [0, wanted] : [wanted, this.get(bucket + BucketWords.count)]; const room = this.get(bucket + BucketWords.capacity);',
    ],
  },
  {
    why: 'Two reads of words that never change as long as the thing is there: nothing depends on their order.',
    mutants: [
      "smr/domain | Smr.toJSON | exchange | const { lag } = smrStats(this.space, this.address, this.name); const clock = CLOCKS[this.memory.peek(this.address + DomainWords.clock)] ?? 'unknown';",
      'space/directory | Directory.constructor | exchange | this.at = memory.peek(Header.directoryAt); this.entries = memory.peek(Header.names);',
      'space/pageTable | PageTable.constructor | exchange | this.tableAt = memory.peek(Header.pageTableAt); this.base = memory.peek(Header.pagesAt);',
      'space/pageTable | PageTable.constructor | exchange | this.base = memory.peek(Header.pagesAt); this.count = memory.peek(Header.pages);',
      'space/pages | Pages.constructor | exchange | this.tableAt = memory.peek(Header.pageTableAt); this.base = memory.peek(Header.pagesAt);',
      'space/pages | Pages.constructor | exchange | this.base = memory.peek(Header.pagesAt); this.count = memory.peek(Header.pages);',
      'table/chains | Chains.constructor | exchange | this.behind = space.memory.peek(table + TableWords.recordWords); this.lowest = space.memory.peek(Header.pagesAt);',
      'zone/adopt | adoptCache | exchange | const recordWords = memory.peek(zone + ZoneWords.recordWords); const trashing = isTrashing(space, zone);',
      'zone/open | openZone | exchange | const zone = handle(space, found, hooks, domainAt); const reserve = space.memory.peek(found.address + ZoneWords.reserve);',
      'space/space | Space.constructor | exchange | this.maxWorkers = memory.peek(Header.maxWorkers); this.checks = memory.peek(Header.checks) !== 0;',
      'space/space | Space.constructor | exchange | this.checks = memory.peek(Header.checks) !== 0; this.sequence = { first: memory.peek(Header.first), step: memory.peek(Header.step) };',
      'space/space | Space.constructor | exchange | this.sequence = { first: memory.peek(Header.first), step: memory.peek(Header.step) }; this.workers = new Workers(memory, memory.peek(Header.workersAt), this.maxWorkers);',
    ],
  },
  {
    why: 'The entry has no name yet: with `kind` at FREE nobody looks at these words, and `kind` is stored last.',
    mutants: [
      'space/directory | Directory.open | exchange | memory.poke(entry + Entry.address, address); memory.poke(entry + Entry.serial, serial);',
      'space/directory | Directory.open | exchange | memory.poke(entry + Entry.serial, serial); memory.poke(entry + Entry.nameBytes, text.length);',
      'space/directory | Directory.open | exchange | memory.poke(entry + Entry.nameBytes, text.length); memory.writeBytes(entry + Entry.name, 0, text);',
      'space/directory | Directory.open | exchange | memory.writeBytes(entry + Entry.name, 0, text); memory.store(entry + Entry.word, 0);',
    ],
  },
  {
    why: 'Only named locks and roots have something in this word, and they are never removed: in an entry that is used again it is 0.',
    mutants: [
      'space/directory | Directory.open | exchange | memory.store(entry + Entry.word, 0); memory.store(entry + Entry.kind, kind);',
      'space/directory | Directory.open | drop | memory.store(entry + Entry.word, 0);',
      'space/directory | Directory.open | plain | memory.store(entry + Entry.word, 0)',
    ],
  },
  {
    why: "A serial number has to be another one each time, and nothing else; with the directory's lock held no other worker takes one.",
    mutants: [
      'space/directory | Directory.open | exchange | const serial = memory.add(Header.serial, 1) + 1; const unswept = this.begin();',
      'space/directory | Directory.open | split | memory.add(Header.serial, 1)',
      'space/directory | Directory.open | off by one | memory.add(Header.serial, 1)',
    ],
  },
  {
    why: 'Behind the last entry lies the page table, whose words are negative, 0, or above the address of a page: none of them is the serial number of a thing.',
    mutants: [
      'space/directory | Directory.open | plain | memory.store(entry + Entry.kind, kind)',
      'space/directory | Directory.remove | plain | this.memory.load(entry + Entry.kind)',
      'space/directory | Directory.remove | stale | this.memory.load(entry + Entry.kind)',
      'space/directory | Directory.remove | plain | this.memory.store(entry + Entry.kind, FREE)',
      'space/directory | Directory.drop | plain | this.memory.store(entry + Entry.kind, FREE)',
      'space/directory | Directory.isUnswept | plain | this.memory.load(Header.unswept)',
      'space/directory | Directory.isUnswept | stale | this.memory.load(Header.unswept)',
      'space/directory | Directory.begin | plain | this.memory.load(Header.unswept)',
      'space/directory | Directory.begin | stale | this.memory.load(Header.unswept)',
      'space/directory | Directory.begin | plain | this.memory.store(Header.unswept, 1)',
      'space/directory | Directory.end | plain | this.memory.store(Header.unswept, unswept)',
      'space/directory | Directory.listAll | plain | this.memory.load(entry + Entry.kind)',
      'space/directory | Directory.listAll | stale | this.memory.load(entry + Entry.kind)',
      'space/directory | Directory.search | plain | this.memory.load(entry + Entry.kind)',
      'space/directory | Directory.search | stale | this.memory.load(entry + Entry.kind)',
      'space/directory | Directory.listing | plain | memory.load(entry + Entry.kind)',
      'space/directory | Directory.listing | stale | memory.load(entry + Entry.kind)',
      'space/directory | Directory.remove | boundary | i < this.entries',
    ],
  },
  {
    why: 'The note is only compared with 0.',
    mutants: [
      'space/directory | Directory.begin | off by one | this.memory.store(Header.unswept, 1)',
    ],
  },
  {
    why: 'Two reads under the lock whose owner alone writes both words.',
    mutants: [
      'space/directory | Directory.listing | exchange | const length = memory.peek(entry + Entry.nameBytes); const kind = memory.load(entry + Entry.kind);',
      'space/pageTable | PageTable.unlink | exchange | const next = memory.peek(base + FreeRun.next); const prev = memory.peek(base + FreeRun.prev);',
      'zone/kegBatch | SlabLists.first | exchange | const said = this.get(slab + SlabWords.list); const freeItems = this.get(slab + SlabWords.freeItems);',
      'zone/kegBatch | SlabLists.unlink | exchange | const next = this.get(slab + SlabWords.next); const prev = this.get(slab + SlabWords.prev);',
      'zone/kegBatch | SlabLists.unlink | exchange | const prev = this.get(slab + SlabWords.prev); const list = this.get(slab + SlabWords.list);',
      'zone/knobs | Knobs.grow | exchange | const most = this.memory.peekRacy(this.at + KnobWords.bucketMax); const now = this.bucketNow;',
      'zone/knobs | Knobs.shrink | exchange | const least = this.memory.peekRacy(this.at + KnobWords.bucketMin); const now = this.bucketNow;',
    ],
  },
  {
    why: 'The lists of free runs are an index: whoever takes the lock after a death or an exception makes them anew from the table, and the table does not say less for this order.',
    mutants: [
      'space/pageTable | PageTable.rebuild | exchange | for (let order = 0; order < ORDERS; order++) memory.poke(headOf(order), 0); memory.poke(Header.freePages, 0);',
      'space/pageTable | PageTable.takeFree | exchange | this.unlink(page, larger); for (let half = larger - 1; half >= order; half--) { const upper = page + sizeOf(half); this.set(upper, free(half)); this.set(page, free(half)); this.link(upper, half); }',
      'space/pageTable | PageTable.takeFree | exchange | this.set(page, free(half)); this.link(upper, half);',
      'space/pageTable | PageTable.merge | exchange | this.set(low, free(order)); this.link(low, order);',
      'space/pageTable | PageTable.link | exchange | if (next !== 0) this.freeAt(next, order); memory.poke(base + FreeRun.next, next);',
      'space/pageTable | PageTable.link | exchange | memory.poke(base + FreeRun.next, next); memory.poke(base + FreeRun.prev, 0);',
      'space/pageTable | PageTable.link | exchange | memory.poke(base + FreeRun.prev, 0); if (next !== 0) memory.poke(next + FreeRun.prev, base);',
      'space/pageTable | PageTable.link | exchange | if (next !== 0) memory.poke(next + FreeRun.prev, base); memory.poke(headOf(order), base);',
      'space/pageTable | PageTable.link | exchange | memory.poke(headOf(order), base); memory.poke(Header.freePages, memory.peek(Header.freePages) + sizeOf(order));',
      'space/pageTable | PageTable.unlink | exchange | if (next !== 0) memory.poke(next + FreeRun.prev, prev); memory.poke(before, next);',
      'space/pageTable | PageTable.unlink | exchange | memory.poke(before, next); memory.poke(Header.freePages, memory.peek(Header.freePages) - sizeOf(order));',
    ],
  },
  {
    why: 'Until one store makes the run reserved, its first page still says that all of it is free, and until one store makes it free, that it is reserved: the table reads the same with and without the steps between.',
    mutants: [
      'space/pageTable | PageTable.takeFree | drop | this.set(page, free(half));',
      'space/pageTable | PageTable.merge | drop | this.set(low, reserved(order, this.slot));',
    ],
  },
  {
    why: 'From brk on the table is read by nobody.',
    mutants: [
      'space/pageTable | PageTable.takeUntouched | exchange | this.moveBrk(start); this.set(start, reserved(order, this.slot));',
      'space/pageTable | PageTable.freeAt | boundary | page < this.brk()',
    ],
  },
  {
    why: 'Inside a run that is not used an entry must only not say `used`.',
    mutants: [
      'space/pageTable | PageTable.merge | boundary | order + 1 < ORDERS',
      'space/pages | Pages.reserve | boundary | order >= ORDERS',
      'space/pages | Pages.allocateInto | boundary | order >= ORDERS',
      'space/pageTable | PageTable.merge | off by one | this.set(inner, 0)',
    ],
  },
  {
    why: 'The word behind the list heads is `redoTarget`, which is 0 whenever a run is taken or lists are counted.',
    mutants: [
      'space/pageTable | PageTable.takeFree | boundary | larger < ORDERS',
      'space/pageTable | listedPages | boundary | order < ORDERS',
    ],
  },
  {
    why: 'Only bounds the walk of a damaged list.',
    mutants: [
      'space/pageTable | listedPages | boundary | listed <= most',
      'zone/depotLists | DepotLists.goalBeyond | boundary | left > 0',
      'zone/kegBatch | SlabLists.length | boundary | length <= most',
      'zone/kegBatch | SlabLists.all | boundary | slabs.length <= most',
    ],
  },
  {
    why: 'Only decides what an error message says.',
    mutants: [
      'space/pageTable | PageTable.damaged | boundary | page >= 0',
      'space/pageTable | PageTable.damaged | boundary | page < this.count',
      "zone/kegBatch | SlabLists.unlink | exchange | const list = this.get(slab + SlabWords.list); if (next !== 0) this.assertSlab(next, 'the next of a slab');",
      "zone/kegBatch | SlabLists.unlink | exchange | if (next !== 0) this.assertSlab(next, 'the next of a slab'); if (prev !== 0) this.assertSlab(prev, 'the one before a slab');",
    ],
  },
  {
    why: 'How often it is tried before it sleeps: any number will do.',
    mutants: [
      'space/lock | Locks.lockSlowly | boundary | spin < SPINS',
      'space/wait | until | boundary | spin < SPINS',
    ],
  },
  {
    why: 'The wait compares the word itself: if the CAS has failed it returns at once, or another waiter has set the bit and sleeping is right.',
    mutants: [
      'space/lock | Locks.lockSlowly | skip check | (seen & SLEEPERS) === 0 && memory.cas(at, seen, seen | SLEEPERS) !== seen',
    ],
  },
  {
    why: 'A CAS from what was read decides: with an older value it fails, and the loop reads again.',
    mutants: [
      'space/lock | Locks.lockSlowly | stale | memory.load(at)',
      'space/lock | Locks.lockSlowly | stale | memory.load(at) #2',
      'space/lock | Locks.lockSlowly | stale | memory.load(at) #3',
    ],
  },
  {
    why: 'Nothing is held: there is nothing to let go of.',
    mutants: [
      'smr/open | build | exchange | memory.poke(at + DomainWords.serial, serial); memory.poke(at + DomainWords.first, sequence.first);',
      'smr/open | build | exchange | memory.poke(at + DomainWords.first, sequence.first); memory.poke(at + DomainWords.step, sequence.step);',
      'smr/open | build | exchange | if (shape.tickMs > 0) memory.store(at + DomainWords.tick, tickOf(memory, shape.tickMs)); memory.store(at + DomainWords.wr, sequence.first);',
      'smr/open | build | exchange | memory.store(at + DomainWords.wr, sequence.first); memory.store(at + DomainWords.rd, sequence.first);',
      'smr/open | build | exchange | memory.store(at + DomainWords.rd, sequence.first); pages.publish(at, RunKind.domain);',
      'smr/open | build | plain | memory.store(at + DomainWords.tick, tickOf(memory, shape.tickMs))',
      'smr/open | build | plain | memory.store(at + DomainWords.wr, sequence.first)',
      'smr/open | build | plain | memory.store(at + DomainWords.rd, sequence.first)',
      'space/turn | Turn.letGo | boundary | this.held.length > 0',
    ],
  },
  {
    why: 'No code reads `first`: it is for who looks at a dump.',
    mutants: [
      'smr/goals | Goals.look | exchange | memory.tally(reader + ReaderWords.polls, 1); pace.pass();',
      'smr/goals | Goals.look | exchange | memory.tally(reader + ReaderWords.pollScans, 1); const candidate = this.readers.oldest(rd, wr);',
      'smr/pace | Counting.counted | exchange | this.count(steps); if (steps === 0 && !this.clock.hasRoom()) this.memory.tally(this.reader + ReaderWords.advanceWaits, 1);',
      'smr/pace | Counting.counted | exchange | if (steps === 0 && !this.clock.hasRoom()) this.memory.tally(this.reader + ReaderWords.advanceWaits, 1); if (countAt !== 0) this.memory.tally(countAt, steps);',
      'zone/batch | allocBatch | exchange | const failure = giveAllBack(parts, first, made); cache.count(CacheWords.fails, 1);',
      'zone/depot | Depot.lock | exchange | this.memory.tally(this.at + DepotWords.contended, 1); this.knobs.grow();',
      'zone/supply | Supply.refillWithin | exchange | this.timers.refilling(); cache.count(CacheWords.refills, 1);',
      'zone/supply | Supply.reuse | exchange | if (domain !== undefined) cache.count(CacheWords.pollHits, 1); destroyItems(this.parts, bucket, failure);',
      'zone/supply | Supply.importItems | exchange | this.loadAlloc(bucket); if (items > 0) cache.count(CacheWords.imports, 1);',
      'smr/open | build | drop | memory.poke(at + DomainWords.first, sequence.first);',
    ],
  },
  {
    why: 'Adds 0 to a tally.',
    mutants: [
      'smr/call | Calls.reconcile | boundary | lost > 0',
      'smr/call | Calls.count | boundary | this.uncounted > 0',
      'smr/pace | Counting.count | boundary | steps > 0',
    ],
  },
  {
    why: 'Whichever is loaded first, the CAS in `commit` decides: from a hand that has moved it fails.',
    mutants: [
      'smr/goals | Goals.commit | exchange | const rd = this.clock.rd(); const wr = this.clock.wr();',
      'smr/pace | LazyPace.catchUp | exchange | const wr = clock.wr(); const before = memory.load(this.tickAt);',
    ],
  },
  {
    why: 'A pass moves the write hand, not the read hand; what matters is that the read hand is loaded before the write hand below.',
    mutants: [
      'smr/pace | LazyPace.catchUp | boundary | passed < 0',
      'smr/pace | LazyPace.catchUp | boundary | passed < 0 #2',
      'smr/goals | Goals.look | exchange | pace.pass(); const rd = clock.rd();',
    ],
  },
  {
    why: 'Both ways it is GRACE_TICKS.',
    mutants: [
      'arena/reap | reapNames | exchange | if (clearReader(space, address, slot)) sections.push(name); const lost = dropCallsOf(space, address, slot);',
      'smr/reap | clearReader | exchange | const open = memory.swap(reader + ReaderWords.seq, INVALID) !== INVALID; const openAsync = memory.swap(reader + ReaderWords.asyncSeq, INVALID) !== INVALID;',
      'smr/reap | clearReader | exchange | const openAsync = memory.swap(reader + ReaderWords.asyncSeq, INVALID) !== INVALID; memory.store(reader + ReaderWords.labelSeq, INVALID);',
      'smr/pace | LazyPace.catchUp | boundary | passed > GRACE_TICKS',
    ],
  },
  {
    why: 'Private state of two parts that do not ask each other.',
    mutants: [
      'smr/domain | Smr.forget | exchange | this.calls?.forget(); super.forget();',
      'smr/domain | Smr.close | exchange | this.calls?.forget(); super.close();',
      'smr/domain | destroySmr | exchange | smr.runAllCalls(timeoutMs); const unused = () => space.memory.load(address + DomainWords.users) === 0;',
    ],
  },
  {
    why: 'Only its own worker writes the word, or after its death the reaper: between the two halves nothing can come.',
    mutants: [
      'smr/call | Calls.queue | split | memory.add(reader + ReaderWords.queued, 1)',
      'smr/call | Calls.reconcile | split | memory.add(reader + ReaderWords.completed, lost)',
      'smr/call | Calls.completeRunning | split | this.memory.add(this.reader + ReaderWords.completed, 1)',
      'smr/reap | dropCalls | split | memory.swap(reader + ReaderWords.completed, queued)',
    ],
  },
  {
    why: 'Words that only this worker writes: it reads what it has written.',
    mutants: [
      'smr/call | Calls.reconcile | plain | memory.load(reader + ReaderWords.completed)',
      'smr/call | Calls.reconcile | stale | memory.load(reader + ReaderWords.completed)',
      'smr/call | Calls.reconcile | plain | memory.load(reader + ReaderWords.queued)',
      'smr/call | Calls.reconcile | stale | memory.load(reader + ReaderWords.queued)',
    ],
  },
  {
    why: 'A hint: who misses that it has risen sees it at the next pump.',
    mutants: [
      'smr/call | Calls.constructor | stale | this.memory.load(hurryAt)',
      'smr/call | Calls.pump | stale | this.memory.load(this.hurryAt)',
    ],
  },
  {
    why: 'Any other value than before says that somebody waits.',
    mutants: [
      'smr/domain | Smr.waitForCalls | off by one | memory.add(this.address + DomainWords.hurry, 1)',
    ],
  },
  {
    why: 'What waits is counted, sealed or not.',
    mutants: [
      'smr/call | Calls.pump | exchange | this.reconcile(); this.seal(false);',
      'smr/call | Calls.runDue | exchange | if (!this.closed && this.isAlive()) this.reconcile(); this.seal(true);',
    ],
  },
  {
    why: 'Urgent is what has been sealed by then; a worker that hurries us right now is heard at the next pump.',
    mutants: [
      'smr/call | Calls.pump | exchange | this.seal(false); const hurry = this.memory.load(this.hurryAt);',
    ],
  },
  {
    why: 'Both count what is not counted yet, once.',
    mutants: [
      'smr/call | Calls.drop | exchange | this.completeRunning(); const isOver = this.closed || !this.isAlive();',
      'smr/call | Calls.drop | exchange | if (!isOver) this.count(); const lost = isOver ? 0 : dropCalls(this.memory, this.reader);',
      'smr/call | Calls.reconcile | exchange | this.completeRunning(); this.count();',
    ],
  },
  {
    why: 'Words of a zone that nobody can reach before the directory names it: all of them are there when it does, whatever their order. A death or an exception before leaves a run that is swept.',
    mutants: [
      'zone/open | buildZone | exchange | memory.poke(zone + ZoneWords.serial, serial); memory.poke(zone + ZoneWords.recordWords, shape.words);',
      'zone/open | buildZone | exchange | memory.poke(zone + ZoneWords.recordWords, shape.words); memory.poke(zone + ZoneWords.recordBytes, shape.bytes);',
      'zone/open | buildZone | exchange | memory.poke(zone + ZoneWords.recordBytes, shape.bytes); memory.poke(zone + ZoneWords.align, align);',
      'zone/open | buildZone | exchange | memory.poke(zone + ZoneWords.align, align); memory.poke(zone + ZoneWords.maker, shape.forTable === true ? space.locks.signature : 0);',
      'zone/open | buildZone | exchange | memory.poke(zone + ZoneWords.capacity, capacity); memory.poke(zone + ZoneWords.domain, shape.smr?.address ?? 0);',
      'zone/open | buildZone | exchange | memory.poke(zone + ZoneWords.domain, shape.smr?.address ?? 0); memory.poke(zone + ZoneWords.hooks, hookBits(shape.hooks));',
      'zone/open | buildZone | exchange | memory.poke(zone + ZoneWords.hooks, hookBits(shape.hooks)); memory.poke(zone + ZoneWords.noFree, shape.noFree === true ? 1 : 0);',
      'zone/open | buildZone | exchange | memory.poke(zone + ZoneWords.reserve, shape.reserve ?? 0); memory.poke(zone + ZoneWords.schemaBytes, schema.length);',
      'zone/open | buildZone | exchange | memory.poke(zone + ZoneWords.schemaBytes, schema.length); memory.writeBytes(parts.schema, 0, schema);',
      'zone/open | buildZone | exchange | memory.store(parts.knobs + KnobWords.bucketNow, knobs.bucket.min); initKeg(memory, parts.keg, records, shape.limit ?? 0);',
      'zone/open | buildZone | exchange | initKeg(memory, parts.buckets, buckets, 0); memory.store(parts.depot + DepotWords.oldest, 0);',
      'zone/open | buildZone | exchange | memory.store(parts.depot + DepotWords.oldest, 0); memory.poke(parts.caches + space.slot * CacheWords.WORDS + CacheWords.opened, 1);',
      'zone/open | buildZone | exchange | memory.poke(parts.caches + space.slot * CacheWords.WORDS + CacheWords.opened, 1); pages.publish(zone, RunKind.zone);',
      'zone/open | buildZone | plain | memory.store(parts.knobs + KnobWords.bucketNow, knobs.bucket.min)',
      'zone/open | buildZone | plain | memory.store(parts.depot + DepotWords.oldest, 0)',
      'zone/open | initKeg | exchange | memory.poke(at + KegWords.stride, shape.stride); memory.poke(at + KegWords.perSlab, shape.perSlab);',
      'zone/open | initKeg | exchange | memory.poke(at + KegWords.perSlab, shape.perSlab); memory.poke(at + KegWords.slabOrder, shape.slabOrder);',
      'zone/open | initKeg | exchange | memory.poke(at + KegWords.slabOrder, shape.slabOrder); memory.poke(at + KegWords.itemsAt, shape.itemsAt);',
      'zone/open | initKeg | exchange | memory.poke(at + KegWords.itemsAt, shape.itemsAt); memory.poke(at + KegWords.busyAt, shape.busyAt);',
    ],
  },
  {
    why: 'The fill has made it 0 already.',
    mutants: [
      'zone/knobs | writeKnobs | exchange | memory.store(at + KnobWords.preset, preset); memory.store(at + KnobWords.bucketMin, values.bucket.min);',
      'zone/knobs | writeKnobs | exchange | memory.store(at + KnobWords.bucketMin, values.bucket.min); memory.store(at + KnobWords.bucketMax, values.bucket.max);',
      'zone/knobs | writeKnobs | exchange | memory.store(at + KnobWords.bucketMax, values.bucket.max); memory.store(at + KnobWords.advanceEvery, values.advanceEvery);',
      'zone/knobs | writeKnobs | exchange | memory.store(at + KnobWords.advanceEvery, values.advanceEvery); memory.store(at + KnobWords.sealAfterMs, values.sealAfterMs);',
      'zone/knobs | writeKnobs | exchange | memory.store(at + KnobWords.sealAfterMs, values.sealAfterMs); memory.store(at + KnobWords.trimEveryMs, values.trimEveryMs);',
      'zone/knobs | writeKnobs | exchange | memory.store(at + KnobWords.trimEveryMs, values.trimEveryMs); memory.store(at + KnobWords.depotItems, values.depotItems);',
      'zone/knobs | writeKnobs | exchange | memory.store(at + KnobWords.depotItems, values.depotItems); memory.store(at + KnobWords.pendingItems, values.pendingItems);',
      'zone/knobs | writeKnobs | plain | memory.store(at + KnobWords.preset, preset)',
      'zone/knobs | writeKnobs | plain | memory.store(at + KnobWords.bucketMin, values.bucket.min)',
      'zone/knobs | writeKnobs | plain | memory.store(at + KnobWords.bucketMax, values.bucket.max)',
      'zone/knobs | writeKnobs | plain | memory.store(at + KnobWords.advanceEvery, values.advanceEvery)',
      'zone/knobs | writeKnobs | plain | memory.store(at + KnobWords.sealAfterMs, values.sealAfterMs)',
      'zone/knobs | writeKnobs | plain | memory.store(at + KnobWords.trimEveryMs, values.trimEveryMs)',
      'zone/knobs | writeKnobs | plain | memory.store(at + KnobWords.depotItems, values.depotItems)',
      'zone/knobs | writeKnobs | plain | memory.store(at + KnobWords.pendingItems, values.pendingItems)',
      'zone/knobs | readKnobs | plain | memory.load(at + KnobWords.bucketMin)',
      'zone/knobs | readKnobs | stale | memory.load(at + KnobWords.bucketMin)',
      'zone/knobs | readKnobs | plain | memory.load(at + KnobWords.bucketMax)',
      'zone/knobs | readKnobs | stale | memory.load(at + KnobWords.bucketMax)',
      'zone/knobs | readKnobs | plain | memory.load(at + KnobWords.advanceEvery)',
      'zone/knobs | readKnobs | stale | memory.load(at + KnobWords.advanceEvery)',
      'zone/knobs | readKnobs | plain | memory.load(at + KnobWords.sealAfterMs)',
      'zone/knobs | readKnobs | stale | memory.load(at + KnobWords.sealAfterMs)',
      'zone/knobs | readKnobs | plain | memory.load(at + KnobWords.trimEveryMs)',
      'zone/knobs | readKnobs | stale | memory.load(at + KnobWords.trimEveryMs)',
      'zone/knobs | readKnobs | plain | memory.load(at + KnobWords.depotItems)',
      'zone/knobs | readKnobs | stale | memory.load(at + KnobWords.depotItems)',
      'zone/knobs | readKnobs | plain | memory.load(at + KnobWords.pendingItems)',
      'zone/knobs | readKnobs | stale | memory.load(at + KnobWords.pendingItems)',
      'zone/knobs | Knobs.turn | exchange | const before = readKnobs(memory, at); const { bucket } = readKnobs(memory, made);',
      'zone/knobs | Knobs.turn | exchange | writeKnobs(memory, at, after, memory.load(at + KnobWords.preset)); this.setBucket(Math.max(min, Math.min(max, this.bucketNow)));',
      'zone/knobs | Knobs.turn | plain | memory.load(at + KnobWords.preset)',
      'zone/knobs | Knobs.turn | stale | memory.load(at + KnobWords.preset)',
      'zone/knobs | Knobs.setBucket | plain | this.memory.store(this.at + KnobWords.bucketNow, items)',
      'zone/open | buildZone | drop | memory.store(parts.depot + DepotWords.oldest, 0);',
    ],
  },
  {
    why: "The worker's own words, of which a reaper takes none before `opened` is set.",
    mutants: [
      'zone/open | clearCache | exchange | memory.poke(cache + CacheWords.alloc, 0); memory.poke(cache + CacheWords.free, 0);',
      'zone/open | clearCache | exchange | memory.poke(cache + CacheWords.free, 0); memory.poke(cache + CacheWords.flushed, flush);',
    ],
  },
  {
    why: 'A slab that is not published: nobody finds it, and who repairs the keg does not either.',
    mutants: [
      'zone/keg | Keg.grow | exchange | this.set(slab + SlabWords.keg, this.at); this.set(slab + SlabWords.freeItems, shape.perSlab);',
      'zone/keg | Keg.grow | exchange | this.set(slab + SlabWords.freeItems, shape.perSlab); initBits(memory, slab, shape);',
      'zone/keg | Keg.grow | exchange | initBits(memory, slab, shape); if (this.filling !== 0) memory.fill(slab + shape.itemsAt, shape.perSlab * shape.stride, this.filling);',
    ],
  },
  {
    why: 'Lists and counts are made anew after a death, from the slabs that are published then; one that is reserved goes back with its worker.',
    mutants: [
      'zone/keg | Keg.grow | exchange | this.space.pages.publish(slab, RunKind.slab); this.lists.adopt(slab, shape.perSlab);',
    ],
  },
  {
    why: '`adopt` writes it again.',
    mutants: [
      'zone/depotLists | DepotLists.append | boundary | items > this.get(this.at + DepotWords.peakPending)',
      'zone/depotLists | DepotLists.noteIdle | boundary | held < this.get(this.at + DepotWords.idleItems)',
      'zone/keg | Keg.grow | drop | this.set(slab + SlabWords.freeItems, shape.perSlab);',
    ],
  },
  {
    why: "Private fields of the worker's; no call comes between them where an exception could.",
    mutants: [
      'zone/frames | Frames.hold | exchange | this.items[held] = item; this.freed[held] = freed;',
      'zone/frames | Frames.hold | exchange | this.freed[held] = freed; this.held = held + 1;',
    ],
  },
  {
    why: 'With nothing there is nothing to urge: `oldest` is 0, or its goal would be polled once more.',
    mutants: [
      'zone/pressure | emptyDepot | off by one | memory.add(at + ZoneWords.flush, 1)',
      'zone/reclaim | reclaimNow | off by one | memory.add(parts.at + ZoneWords.flush, 1)',
      'zone/supply | Supply.lookHarder | off by one | this.memory.add(this.parts.at + ZoneWords.flush, 1)',
      'zone/reclaim | trim | boundary | idle > 0',
    ],
  },
  {
    why: 'What it finds beyond the last item is refused below.',
    mutants: [
      'zone/open | openZone.open | split | space.memory.add(smr.address + DomainWords.users, 1)',
      'zone/reclaim | dismantle | split | space.memory.add(domain.address + DomainWords.users, -1)',
      'zone/slab | nextFree | boundary | index < perSlab',
    ],
  },
  {
    why: '`prev` and `last` are for the next writer, who begins when this one has ended; after a death `repair` makes them from the pointer words, which this leaves in their order.',
    mutants: [
      'lists/linkage | Linkage.init | exchange | this.memory.store(this.head, 0); this.setBehind(this.head, NULL_ITEM);',
      'lists/linkage | Linkage.unlink | exchange | memory.store(at, next); this.setBehind(at, next);',
      'lists/linkage | Linkage.unlink | exchange | this.setBehind(at, next); if (this.shape.doubly) memory.poke(this.prevOf(item), 0);',
      'lists/linkage | Linkage.replace | exchange | this.publish(at, item, next); if (this.shape.doubly) this.memory.poke(this.prevOf(old), 0);',
      'lists/linkage | Linkage.append | exchange | const srcEnd = src.end(); const at = this.end();',
      'lists/linkage | Linkage.append | exchange | if (this.shape.doubly) memory.poke(this.prevOf(first), at); memory.store(at, first);',
      'lists/linkage | Linkage.append | exchange | memory.store(at, first); this.setBehind(srcEnd, NULL_ITEM);',
      'lists/linkage | Linkage.publish | exchange | memory.store(word, next); if (this.shape.doubly) memory.poke(this.prevOf(item), at);',
      'lists/linkage | Linkage.publish | exchange | if (this.shape.doubly) memory.poke(this.prevOf(item), at); memory.store(at, item);',
      'lists/linkage | Linkage.publish | exchange | memory.store(at, item); this.setBehind(word, next);',
    ],
  },
  {
    why: 'The first byte of a text is inside no character, and behind its end there is none.',
    mutants: [
      'memory/utf8 | packText | boundary | bytes > 0',
      'memory/utf8 | packText | boundary | bytes < all.length',
    ],
  },
  {
    why: 'What is found the slow way is the handle that is known: the short way only saves time.',
    mutants: [
      'arena/arena | Arena.smr | skip check | known?.isAlive() && isEmpty(options)',
      'arena/arena | Arena.openZone | skip check | known?.isAlive() && isEmpty(options)',
    ],
  },
  {
    why: 'Only when dead handles are dropped: they are dropped all the same, sooner or more often.',
    mutants: [
      'arena/arena | Known.set | boundary | this.size > this.many',
      'arena/arena | Known.set | drop | this.many = FEW_HANDLES + 2 * this.size;',
    ],
  },
  {
    why: 'The list of who supervises whom, and runs of pages: neither is looked at for the other, with the directory locked; if one fails, the next reaper does both again.',
    mutants: [
      'arena/reap | reapNames | exchange | let runs = pages.releaseReservedBy(slot); const left = dropUnfinished(space, names);',
      'arena/reap | reapNames | exchange | if (directory.isUnswept) { runs += sweepOrphans(space, left); directory.swept(); } buryWards(space, dead);',
    ],
  },
  {
    why: 'It sleeps for 10 ms: what this worker has published may stay as long.',
    mutants: [
      'arena/reap | showsLife | exchange | const before = pulse(space, slot); space.beforeSleep();',
      'arena/reap | showsLife | exchange | space.beforeSleep(); space.memory.sleep(WATCH_MS);',
      'arena/reap | showsLife | drop | space.beforeSleep();',
    ],
  },
  {
    why: 'A slot that is not attached shows no life: the answer is the same 10 ms later.',
    mutants: [
      'space/space | format | exchange | memory.poke(Header.version, LAYOUT_VERSION); memory.poke(Header.words, geo.words);',
      'space/space | format | exchange | memory.poke(Header.words, geo.words); memory.poke(Header.maxWorkers, geo.maxWorkers);',
      'space/space | format | exchange | memory.poke(Header.maxWorkers, geo.maxWorkers); memory.poke(Header.checks, checks ? 1 : 0);',
      'space/space | format | exchange | memory.poke(Header.checks, checks ? 1 : 0); memory.poke(Header.first, sequence.first);',
      'space/space | format | exchange | memory.poke(Header.first, sequence.first); memory.poke(Header.step, sequence.step);',
      'space/space | format | exchange | memory.poke(Header.step, sequence.step); memory.poke(Header.names, geo.names);',
      'space/space | format | exchange | memory.poke(Header.names, geo.names); memory.poke(Header.workersAt, geo.workersAt);',
      'space/space | format | exchange | memory.poke(Header.workersAt, geo.workersAt); memory.poke(Header.directoryAt, geo.directoryAt);',
      'space/space | format | exchange | memory.poke(Header.directoryAt, geo.directoryAt); memory.poke(Header.pageTableAt, geo.pageTableAt);',
      'space/space | format | exchange | memory.poke(Header.pageTableAt, geo.pageTableAt); memory.poke(Header.pagesAt, geo.pagesAt);',
      'space/space | format | exchange | memory.poke(Header.pagesAt, geo.pagesAt); memory.poke(Header.pages, geo.pages);',
      'arena/reap | showsLife | skip check | !space.workers.isAttached(slot)',
    ],
  },
  {
    why: 'A buffer whose magic word stands was refused before: no order shows an arena that is none.',
    mutants: [
      'space/space | format | exchange | memory.store(Header.magic, 0); memory.fill(0, Header.magic, 0);',
      'space/space | format | exchange | memory.fill(0, Header.magic, 0); memory.fill(Header.magic + 1, geo.pagesAt - Header.magic - 1, 0);',
    ],
  },
  {
    why: "Neither asks for what the other sets: it is all this worker's own.",
    mutants: [
      'space/space | Space.constructor | exchange | this.watch.add({ check: () => this.checkNames() }); this.watch.add({ check: () => this.endVisits() });',
      'space/turn | Turn.hold | exchange | if (!this.held.includes(it)) this.held.push(it); if (!this.armed) this.arm();',
    ],
  },
  {
    why: '`heir` is looked at only when the worker is buried.',
    mutants: [
      'space/workers | Workers.claim | exchange | memory.store(this.address(slot) + WorkerSlot.heir, NOBODY); memory.or(this.activeWord(slot), bitOf(slot));',
    ],
  },
  {
    why: 'No worker has a token of that slot.',
    mutants: [
      'arena/reap | reapOne | skip check | !workers.isBuried(dead)',
      'space/workers | Workers.beginReap | skip check | memory.cas(at, heir, token) !== heir',
      'space/workers | Workers.isGone | boundary | slot >= this.max',
    ],
  },
  {
    why: 'The CAS below decides; the load only spares it.',
    mutants: [
      'space/workers | Workers.watch | skip check | memory.load(at + WorkerSlot.warden) !== NOBODY',
    ],
  },
  {
    why: 'A place of the list may change hands between the two loads in either order.',
    mutants: [
      'space/workers | Workers.wardenOf | exchange | const generation = this.generation(slot); const owner = this.owner(slot);',
      'space/workers | Workers.wardenOf | exchange | const warden = memory.load(at + WorkerSlot.warden); const ward = memory.load(at + WorkerSlot.ward);',
    ],
  },
  {
    why: 'As the comment there says: the steps before the last may come in any order, since they start from words that do not change and are all repeated.',
    mutants: [
      'space/pages | Pages.redo | exchange | const base = memory.peek(Header.redoRun); const entry = memory.peek(Header.redoEntry);',
      'space/pages | Pages.redo | exchange | this.table.put(base, entry); memory.poke(target, base);',
      'space/pages | Pages.redo | exchange | memory.poke(target, 0); if (this.table.entryOf(base) > 0) this.table.release(base);',
      'space/pages | Pages.repair | exchange | this.beginChange(); this.table.rebuild();',
    ],
  },
  {
    why: 'Only words of a redo record that `redoTarget` does not name yet.',
    mutants: [
      'space/pages | Pages.writeRedo | exchange | memory.poke(Header.redoRun, base); memory.poke(Header.redoEntry, entry);',
    ],
  },
  {
    why: 'Compared with 0 only.',
    mutants: [
      'space/pages | Pages.beginChange | off by one | this.memory.store(this.reservingAt, 1)',
    ],
  },
  {
    why: "A run's first page never has the entry 0.",
    mutants: [
      'space/pages | Pages.release | boundary | this.table.entryOf(base) < 0',
      'space/pages | Pages.redo | boundary | this.table.entryOf(base) > 0',
    ],
  },
  {
    why: '`detach` has run what is due before it drops the rest, and has completed and counted what was running.',
    mutants: [
      'smr/call | Calls.drop | drop | this.completeRunning();',
      'smr/call | Calls.drop | negate | !isOver',
      'smr/call | Calls.drop | drop | this.count();',
    ],
  },
  {
    why: 'Only what an exception has left uncounted; the next call counts it.',
    mutants: [
      'smr/domain | destroySmr | exchange | if (!ended && smr.isAlive()) space.sweep(); smr.close();',
      'smr/call | Calls.reconcile | drop | this.count();',
    ],
  },
  {
    why: "Both are words and lists of this worker's own; its pump comes in a later turn, after both.",
    mutants: [
      "smr/domain | Smr.waitForCalls | exchange | if (verb === 'flush') memory.add(this.address + DomainWords.hurry, 1); this.calls?.seal(true);",
    ],
  },
  {
    why: 'Two reads, of which at least one is of words that do not change meanwhile.',
    mutants: [
      'zone/kegBatch | KegMoves.finishOne | exchange | setFree(this.memory, slab, this.addresses.indexOf(slab, item)); const after = this.memory.peekFloat(this.keg + KegWords.after);',
      'zone/open | reserveOrUndo | exchange | zone.prealloc(items); const spare = bucketsFor(items, knobs.leastBucket, space.maxWorkers);',
      'zone/pressure | shrink | exchange | depot.discardEmpties(); const reserve = memory.peek(at + ZoneWords.reserve);',
    ],
  },
  {
    why: 'Private fields of two parts that do not ask each other.',
    mutants: [
      'zone/timers | Timers.constructor | exchange | this.aging = alarm((failure) => this.age(failure)); this.trimming = alarm((failure) => this.trim(failure));',
      'zone/timers | Timers.end | exchange | this.aging.end(); this.trimming.end();',
    ],
  },
  {
    why: "An empty bucket of this worker's: whoever takes it over finds nothing in it, whatever these words say.",
    mutants: [
      'zone/supply | Supply.importItems | exchange | this.memory.poke(bucket + BucketWords.destroyed, buckets.capacity); this.memory.poke(bucket + BucketWords.capacity, buckets.capacity);',
      'zone/supply | Supply.importItems | exchange | this.memory.poke(bucket + BucketWords.capacity, buckets.capacity); this.memory.poke(bucket + BucketWords.raw, hooks.init === undefined ? 0 : 1);',
      'zone/supply | Supply.loadFree | exchange | this.setOwner(empty, owner); this.memory.poke(empty + BucketWords.destroyed, 0);',
      'zone/supply | Supply.loadFree | exchange | this.memory.poke(empty + BucketWords.destroyed, 0); this.memory.poke(empty + BucketWords.capacity, knobs.bucketNow);',
      'zone/supply | Supply.release | exchange | this.memory.poke(bucket + BucketWords.raw, 0); this.memory.poke(bucket + BucketWords.destroyed, 0);',
    ],
  },
  {
    why: "Two buckets of one worker's, each moved by itself, with a redo record of its own.",
    mutants: [
      'zone/adopt | empty | exchange | cache.unloadAlloc(); cache.unloadFree();',
      'zone/supply | Supply.swap | exchange | const full = cache.unloadFree(); const empty = cache.unloadAlloc();',
      'zone/supply | Supply.swap | exchange | cache.loadAlloc(full); if (empty !== 0) this.loadFree(empty, freeOwner(this.parts.space.slot));',
      'zone/supply | Supply.flush | exchange | this.seal(); this.putAllocBack();',
      'zone/supply | Supply.flush | exchange | this.putAllocBack(); this.putFreeBack();',
    ],
  },
  {
    why: 'Only in zones without a domain, where items of an alloc bucket and of a free one are alike: whoever takes the bucket over makes them safe.',
    mutants: [
      'zone/supply | Supply.swap | exchange | const empty = cache.unloadAlloc(); this.setOwner(full, allocOwner(this.parts.space.slot));',
      'zone/supply | Supply.swap | exchange | this.setOwner(full, allocOwner(this.parts.space.slot)); cache.loadAlloc(full);',
    ],
  },
  {
    why: 'The name is gone, and the directory is locked: after a death in between the next reaper sweeps both, and counts the users of the domain anew.',
    mutants: [
      'zone/reclaim | dismantle | exchange | if (domain !== undefined) space.memory.add(domain.address + DomainWords.users, -1); keg.abolish();',
      'zone/reclaim | dismantle | exchange | keg.abolish(); buckets.keg.abolish();',
    ],
  },
  {
    why: 'To ask the others for their buckets, and to poll, are two things.',
    mutants: [
      'zone/supply | Supply.lookHarder | exchange | if (cache.alloc === 0) { const bucket = depot.takeEmpty(allocOwner(space.slot)); if (bucket !== 0) cache.loadAlloc(bucket); } depot.urge();',
    ],
  },
  {
    why: "`flushed` is the worker's own, and looked at in its next slow path: that flushes once more, or not.",
    mutants: [
      'zone/reclaim | reclaimNow | exchange | memory.add(parts.at + ZoneWords.flush, 1); memory.poke(parts.cache.at + CacheWords.flushed, memory.load(parts.at + ZoneWords.flush));',
      'zone/reclaim | reclaimNow | exchange | memory.poke(parts.cache.at + CacheWords.flushed, memory.load(parts.at + ZoneWords.flush)); supply.flush();',
      'zone/supply | Supply.lookHarder | exchange | this.memory.poke(cache.at + CacheWords.flushed, asked); if (cache.alloc === 0) { const bucket = depot.takeEmpty(allocOwner(space.slot)); if (bucket !== 0) cache.loadAlloc(bucket); }',
    ],
  },
  {
    why: '`opened` is for the next reaper, who finds nothing more to take over.',
    mutants: [
      'zone/adopt | adoptCache | exchange | depot.urge(); memory.poke(cache.at + CacheWords.opened, 0);',
    ],
  },
  {
    why: 'Other clocks have 0 ms per tick, and the tick of that is the 0 which the word has already.',
    mutants: ['smr/open | build | boundary | shape.tickMs > 0'],
  },
  {
    why: "Letting go clears a word of this worker's own; an older write hand only makes the scan say less.",
    mutants: ['smr/goals | Goals.look | exchange | this.own.letGo(); let wr = clock.wr();'],
  },
  {
    why: 'What is done again changes free bits, the bucket and the tally, and neither lists nor counts; those are made afterwards.',
    mutants: ['zone/keg | Keg.repair | exchange | this.moves.redo(); this.lists.clear();'],
  },
]

const byKey = new Map(REASONS.flatMap(({ why, mutants }) => mutants.map((key) => [key, why])))

export function reasonFor(key: string): string | undefined {
  return byKey.get(key)
}

/** Keys that are listed and name no mutant. */
export function unused(keys: ReadonlySet<string>): readonly string[] {
  return [...byKey.keys()].filter((key) => !keys.has(key))
}
