;; Intrinsics: verbs of `Memory` as WebAssembly, over the arena's own shared memory.
;;
;; Engines do not inline Atomics; a call into WebAssembly costs half as much, and a whole section
;; or a whole walk along a chain costs one call. memory.ts and compound.ts have the same in
;; TypeScript; they are the reference, and test/unit/memory/intrinsics.test.ts compares the two.
;;
;; scripts/assemble.js makes intrinsics.generated.ts of this text. First scripts/wat.js puts in, for
;; each `@name` alone on a line, the lines between `@macro name` and `@end`; and for each number in
;; braces the constant of the TypeScript sources that it is taken from.
;;
;; Addresses come as word indices, and are shifted to bytes here. Every shared word that may change
;; is read and written by atomic instructions, which are sequentially consistent and in one order
;; with JavaScript's Atomics. A plain load reads what is frozen since it was published.

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
    ;; [I] The worker may be descheduled here, arbitrarily long.
    (i32.atomic.store (i32.shl (local.get $at) (i32.const 2)) (local.get $seen))
    ;; [R1] Atomic as in JavaScript: it reads from the step of the hand that it returns, so what was
    ;;      unlinked before that step happens before all later reads of this worker, here or in
    ;;      JavaScript.
    (i32.sub (i32.atomic.load (local.get $wr)) (local.get $seen)))

  ;; ---- chains ----------------------------------------------------------------------------------

;; mix(key ^ SEED) of compound.ts: from $key to $hash.
@macro hash
    (local.set $hash (i32.xor (local.get $key) (i32.const {SEED})))
    (local.set $hash (i32.mul
      (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 16)))
      (i32.const {MIX_1})))
    (local.set $hash (i32.mul
      (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 13)))
      (i32.const {MIX_2})))
    (local.set $hash (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 16))))
@end

;; findHash of compound.ts: from $chainsAt, $behind and $hash to $node. It is a macro, since
;; engines do not inline one function of a module into another. Inside, nodes and offsets are
;; bytes. What is compared is the hash, next to the links, so a step touches one cache line.
;;
;; Between the first two nodes it chooses without a branch: which of them has the key is what a
;; processor predicts worst. The loop, in which engines check for interrupts, is for the few nodes
;; that come later. It counts its steps: a page of 64 KiB has room for 2^NODES_SHIFT nodes, so more
;; steps go in a circle. Pointers are loaded atomically: then the node that was filled before is
;; seen too.
@macro walk
    ;; $behind and $link become bytes; the top bits of the hash choose the head.
    (local.set $chains (i32.atomic.load (i32.shl (local.get $chainsAt) (i32.const 2))))
    (local.set $behind (i32.shl (local.get $behind) (i32.const 2)))
    (local.set $link (i32.add
      (local.get $behind)
      (i32.shl (i32.and (local.get $chains) (i32.const {LINK_MASK})) (i32.const 2))))
    (local.set $node (i32.shl
      (i32.atomic.load (i32.shl
        (i32.add
          (i32.and (local.get $chains) (i32.const {PAGE_MASK}))
          (i32.shr_u (local.get $hash) (i32.sub (i32.const {HASH_BITS})
            (i32.and (i32.shr_u (local.get $chains) (i32.const {BITS_AT})) (i32.const {BITS})))))
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
          (i32.load offset={HASH_OFFSET} (i32.add (local.get $node) (local.get $behind)))
          (local.get $hash))))
      (br_if $found (i32.eqz (local.get $node)))
      (br_if $found
        (i32.eq
          (i32.load offset={HASH_OFFSET} (i32.add (local.get $node) (local.get $behind)))
          (local.get $hash)))
      (local.set $left (i32.shl (memory.size) (i32.const {NODES_SHIFT})))
      (loop $on
        (local.set $node (i32.shl
          (i32.atomic.load (i32.add (local.get $node) (local.get $link)))
          (i32.const 2)))
        (br_if $found (i32.eqz (local.get $node)))
        (br_if $found
          (i32.eq
            (i32.load offset={HASH_OFFSET} (i32.add (local.get $node) (local.get $behind)))
            (local.get $hash)))
        (br_if $on (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
      (local.set $node (i32.const {ENDLESS})))
@end

  (func (export "findHash")
      (param $chainsAt i32) (param $behind i32) (param $hash i32) (result i32)
    (local $chains i32) (local $link i32) (local $node i32) (local $left i32)
    @walk
    (i32.shr_u (local.get $node) (i32.const 2)))

  (func (export "findWord")
      (param $chainsAt i32) (param $behind i32) (param $key i32) (result i32)
    (local $hash i32) (local $chains i32) (local $link i32) (local $node i32) (local $left i32)
    @hash
    @walk
    (i32.shr_u (local.get $node) (i32.const 2)))

  ;; enterSection, findWord, exit. FAR, with the section open, when the hand has moved too far.
  (func (export "lookUpWord")
      (param $wr i32) (param $at i32) (param $chainsAt i32) (param $behind i32) (param $key i32)
      (result i32)
    (local $hash i32) (local $chains i32) (local $link i32) (local $node i32) (local $left i32)
    ;; [I] [R1] As in enterSection; $hash is what the hand showed.
    (local.set $wr (i32.shl (local.get $wr) (i32.const 2)))
    (local.set $at (i32.shl (local.get $at) (i32.const 2)))
    (local.set $hash (i32.atomic.load (local.get $wr)))
    (i32.atomic.store (local.get $at) (local.get $hash))
    (if (i32.gt_u
          (i32.sub (i32.atomic.load (local.get $wr)) (local.get $hash))
          (i32.const {NEAR}))
      (then (return (i32.const {FAR}))))
    @hash
    @walk
    ;; [R2] Atomic: all our reads happen before what a poll allows that reads this 0.
    (i32.atomic.store (local.get $at) (i32.const 0))
    (i32.shr_u (local.get $node) (i32.const 2))))
