;; Intrinsics: verbs of `Memory` as WebAssembly, over the arena's own shared memory.
;;
;; Engines do not inline Atomics; a call into WebAssembly costs half of one, and a whole section or a
;; whole walk along a chain costs one call. What each function does is said in TypeScript in
;; memory.ts and compound.ts, which are the reference: this file repeats it, and
;; test/unit/memory/intrinsics.test.ts compares the two. The build assembles it into
;; intrinsics.generated.ts.
;;
;; Addresses come as word indices, and are shifted to bytes here. Every shared word that may change
;; is read and written by atomic instructions, which are sequentially consistent and stand in one
;; order with JavaScript's Atomics. A plain load reads what is frozen since it was published.
;;
;; Numbers that are known elsewhere: 0x1b873593 is SEED of compound.ts, whose `mix` findWord repeats; 1, 31
;; and -1024 are ChainsWord of layout.ts, offset=8 is NodeWords.hash; 0x20000000 is NEAR of compound.ts.

(module
  (import "arena" "memory" (memory 1 65536 shared))

  ;; ---- single verbs ----------------------------------------------------------------------------

  (func (export "load") (param $at i32) (result i32)
    (i32.atomic.load (i32.shl (local.get $at) (i32.const 2))))

  (func (export "store") (param $at i32) (param $value i32)
    (i32.atomic.store (i32.shl (local.get $at) (i32.const 2)) (local.get $value)))

  (func (export "add") (param $at i32) (param $value i32) (result i32)
    (i32.atomic.rmw.add (i32.shl (local.get $at) (i32.const 2)) (local.get $value)))

  (func (export "swap") (param $at i32) (param $value i32) (result i32)
    (i32.atomic.rmw.xchg (i32.shl (local.get $at) (i32.const 2)) (local.get $value)))

  (func (export "cas") (param $at i32) (param $expected i32) (param $value i32) (result i32)
    (i32.atomic.rmw.cmpxchg
      (i32.shl (local.get $at) (i32.const 2)) (local.get $expected) (local.get $value)))

  (func (export "or") (param $at i32) (param $bits i32) (result i32)
    (i32.atomic.rmw.or (i32.shl (local.get $at) (i32.const 2)) (local.get $bits)))

  (func (export "and") (param $at i32) (param $bits i32) (result i32)
    (i32.atomic.rmw.and (i32.shl (local.get $at) (i32.const 2)) (local.get $bits)))

  ;; ---- sections --------------------------------------------------------------------------------

  ;; Publishes at $at what the hand at $wr shows; returns how far the hand has moved meanwhile.
  (func (export "enterSection") (param $wr i32) (param $at i32) (result i32)
    (local $seen i32)
    (local.set $wr (i32.shl (local.get $wr) (i32.const 2)))
    (local.set $seen (i32.atomic.load (local.get $wr)))
    ;; [I] The nap.
    (i32.atomic.store (i32.shl (local.get $at) (i32.const 2)) (local.get $seen))
    ;; [R1] Atomic as in JavaScript: it reads from the step of the hand that it sees, so what was
    ;;      unlinked before that step happens before all reads that follow in this worker, here or
    ;;      in JavaScript.
    (i32.sub (i32.atomic.load (local.get $wr)) (local.get $seen)))

  ;; ---- chains ----------------------------------------------------------------------------------

  ;; The finds walk alike, and it is written out each time: engines do not inline one function of a
  ;; module into another. Inside, nodes and offsets are bytes; what is compared is the hash behind the
  ;; record, next to the links, so a step touches one line of the processor's cache.
  ;;
  ;; Between the first two nodes it picks without a branch: whether a key is in the one or in the
  ;; other is what a processor guesses wrong most often, and waits for longest. A loop, with the look
  ;; at the stack that engines put into one, is for the few that come later. It counts its steps: a
  ;; page of 64 KiB has room for no more than 2^12 nodes of four words, so more steps go in a circle.
  ;; Pointers are loaded atomically: whoever sees one sees the node that was filled before.

  (func (export "findHash")
      (param $chainsAt i32) (param $behind i32) (param $hash i32) (result i32)
    (local $chains i32) (local $link i32) (local $node i32) (local $left i32)
    ;; The array: the words behind a record and the link among them, in bytes, and the head that the
    ;; top bits of the hash pick.
    (local.set $chains (i32.atomic.load (i32.shl (local.get $chainsAt) (i32.const 2))))
    (local.set $behind (i32.shl (local.get $behind) (i32.const 2)))
    (local.set $link (i32.add
      (local.get $behind)
      (i32.shl (i32.and (local.get $chains) (i32.const 1)) (i32.const 2))))
    (local.set $node (i32.shl
      (i32.atomic.load (i32.shl
        (i32.add
          (i32.and (local.get $chains) (i32.const -1024))
          (i32.shr_u (local.get $hash) (i32.sub (i32.const 32)
            (i32.and (i32.shr_u (local.get $chains) (i32.const 1)) (i32.const 31)))))
        (i32.const 2)))
      (i32.const 2)))
    (block $found
      (br_if $found (i32.eqz (local.get $node)))
      (local.set $node (select
        (local.get $node)
        (i32.shl
          (i32.atomic.load (i32.add (local.get $node) (local.get $link)))
          (i32.const 2))
        (i32.eq
          (i32.load offset=8 (i32.add (local.get $node) (local.get $behind)))
          (local.get $hash))))
      (br_if $found (i32.eqz (local.get $node)))
      (br_if $found
        (i32.eq
          (i32.load offset=8 (i32.add (local.get $node) (local.get $behind)))
          (local.get $hash)))
      (local.set $left (i32.shl (memory.size) (i32.const 12)))
      (loop $on
        (local.set $node (i32.shl
          (i32.atomic.load (i32.add (local.get $node) (local.get $link)))
          (i32.const 2)))
        (br_if $found (i32.eqz (local.get $node)))
        (br_if $found
          (i32.eq
            (i32.load offset=8 (i32.add (local.get $node) (local.get $behind)))
            (local.get $hash)))
        (br_if $on (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      ;; ENDLESS, when it is shifted to a word's index.
      (local.set $node (i32.const -4)))
    (i32.shr_u (local.get $node) (i32.const 2)))

  (func (export "findWord")
      (param $chainsAt i32) (param $behind i32) (param $key i32) (result i32)
    (local $hash i32) (local $chains i32) (local $link i32) (local $node i32) (local $left i32)
    ;; mix(key ^ SEED)
    (local.set $hash (i32.xor (local.get $key) (i32.const 0x1b873593)))
    (local.set $hash (i32.mul
      (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 16)))
      (i32.const 0x85ebca6b)))
    (local.set $hash (i32.mul
      (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 13)))
      (i32.const 0xc2b2ae35)))
    (local.set $hash (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 16))))
    ;; The array: the words behind a record and the link among them, in bytes, and the head that the
    ;; top bits of the hash pick.
    (local.set $chains (i32.atomic.load (i32.shl (local.get $chainsAt) (i32.const 2))))
    (local.set $behind (i32.shl (local.get $behind) (i32.const 2)))
    (local.set $link (i32.add
      (local.get $behind)
      (i32.shl (i32.and (local.get $chains) (i32.const 1)) (i32.const 2))))
    (local.set $node (i32.shl
      (i32.atomic.load (i32.shl
        (i32.add
          (i32.and (local.get $chains) (i32.const -1024))
          (i32.shr_u (local.get $hash) (i32.sub (i32.const 32)
            (i32.and (i32.shr_u (local.get $chains) (i32.const 1)) (i32.const 31)))))
        (i32.const 2)))
      (i32.const 2)))
    (block $found
      (br_if $found (i32.eqz (local.get $node)))
      (local.set $node (select
        (local.get $node)
        (i32.shl
          (i32.atomic.load (i32.add (local.get $node) (local.get $link)))
          (i32.const 2))
        (i32.eq
          (i32.load offset=8 (i32.add (local.get $node) (local.get $behind)))
          (local.get $hash))))
      (br_if $found (i32.eqz (local.get $node)))
      (br_if $found
        (i32.eq
          (i32.load offset=8 (i32.add (local.get $node) (local.get $behind)))
          (local.get $hash)))
      (local.set $left (i32.shl (memory.size) (i32.const 12)))
      (loop $on
        (local.set $node (i32.shl
          (i32.atomic.load (i32.add (local.get $node) (local.get $link)))
          (i32.const 2)))
        (br_if $found (i32.eqz (local.get $node)))
        (br_if $found
          (i32.eq
            (i32.load offset=8 (i32.add (local.get $node) (local.get $behind)))
            (local.get $hash)))
        (br_if $on (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      ;; ENDLESS, when it is shifted to a word's index.
      (local.set $node (i32.const -4)))
    (i32.shr_u (local.get $node) (i32.const 2)))

  ;; enterSection, findWord and out again, written out once more. -1, with the section open, when the
  ;; hand has moved too far: see compound.ts.
  (func (export "lookUpWord")
      (param $wr i32) (param $at i32) (param $chainsAt i32) (param $behind i32) (param $key i32)
      (result i32)
    (local $hash i32) (local $chains i32) (local $link i32) (local $node i32) (local $left i32)
    ;; [I] [R1] As in enterSection; $hash is what the hand has shown.
    (local.set $wr (i32.shl (local.get $wr) (i32.const 2)))
    (local.set $at (i32.shl (local.get $at) (i32.const 2)))
    (local.set $hash (i32.atomic.load (local.get $wr)))
    (i32.atomic.store (local.get $at) (local.get $hash))
    (if (i32.gt_u
          (i32.sub (i32.atomic.load (local.get $wr)) (local.get $hash))
          (i32.const 0x20000000))
      (then (return (i32.const -1))))
    ;; mix(key ^ SEED)
    (local.set $hash (i32.xor (local.get $key) (i32.const 0x1b873593)))
    (local.set $hash (i32.mul
      (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 16)))
      (i32.const 0x85ebca6b)))
    (local.set $hash (i32.mul
      (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 13)))
      (i32.const 0xc2b2ae35)))
    (local.set $hash (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 16))))
    ;; The array: the words behind a record and the link among them, in bytes, and the head that the
    ;; top bits of the hash pick.
    (local.set $chains (i32.atomic.load (i32.shl (local.get $chainsAt) (i32.const 2))))
    (local.set $behind (i32.shl (local.get $behind) (i32.const 2)))
    (local.set $link (i32.add
      (local.get $behind)
      (i32.shl (i32.and (local.get $chains) (i32.const 1)) (i32.const 2))))
    (local.set $node (i32.shl
      (i32.atomic.load (i32.shl
        (i32.add
          (i32.and (local.get $chains) (i32.const -1024))
          (i32.shr_u (local.get $hash) (i32.sub (i32.const 32)
            (i32.and (i32.shr_u (local.get $chains) (i32.const 1)) (i32.const 31)))))
        (i32.const 2)))
      (i32.const 2)))
    (block $found
      (br_if $found (i32.eqz (local.get $node)))
      (local.set $node (select
        (local.get $node)
        (i32.shl
          (i32.atomic.load (i32.add (local.get $node) (local.get $link)))
          (i32.const 2))
        (i32.eq
          (i32.load offset=8 (i32.add (local.get $node) (local.get $behind)))
          (local.get $hash))))
      (br_if $found (i32.eqz (local.get $node)))
      (br_if $found
        (i32.eq
          (i32.load offset=8 (i32.add (local.get $node) (local.get $behind)))
          (local.get $hash)))
      (local.set $left (i32.shl (memory.size) (i32.const 12)))
      (loop $on
        (local.set $node (i32.shl
          (i32.atomic.load (i32.add (local.get $node) (local.get $link)))
          (i32.const 2)))
        (br_if $found (i32.eqz (local.get $node)))
        (br_if $found
          (i32.eq
            (i32.load offset=8 (i32.add (local.get $node) (local.get $behind)))
            (local.get $hash)))
        (br_if $on (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      ;; ENDLESS, when it is shifted to a word's index.
      (local.set $node (i32.const -4)))
    ;; [R2] Atomic: a poller that reads this 0 comes after all our reads.
    (i32.atomic.store (local.get $at) (i32.const 0))
    (i32.shr_u (local.get $node) (i32.const 2))))
