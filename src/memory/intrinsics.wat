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

;; findHash of compound.ts: from $chainsAt, $behind and $hash to $node. It is made of macros, since
;; engines do not inline one function of a module into another. Inside, nodes and offsets are
;; bytes. What is compared is the hash, next to the links, so a step touches one cache line.

;; The first node of the chain: the top bits of the hash choose the head.
@macro head
    (local.set $chains (i32.atomic.load (i32.shl (local.get $chainsAt) (i32.const 2))))
    (local.set $node (i32.shl
      (i32.atomic.load (i32.shl
        (i32.add
          (i32.and (local.get $chains) (i32.const {PAGE_MASK}))
          (i32.shr_u (local.get $hash) (i32.sub (i32.const {HASH_BITS})
            (i32.and (i32.shr_u (local.get $chains) (i32.const {BITS_AT})) (i32.const {BITS})))))
        (i32.const 2)))
      (i32.const 2)))
@end

;; $behind and $link become bytes.
@macro offsets
    (local.set $behind (i32.shl (local.get $behind) (i32.const 2)))
    (local.set $link (i32.add
      (local.get $behind)
      (i32.shl (i32.and (local.get $chains) (i32.const {LINK_MASK})) (i32.const 2))))
@end

;; Between the first two nodes it chooses without a branch: which of them has the key is what a
;; processor predicts worst. The loop, in which engines check for interrupts, is for the few nodes
;; that come later. It counts its steps: a page of 64 KiB has room for 2^NODES_SHIFT nodes, so more
;; steps go in a circle. Pointers are loaded atomically: then the node that was filled before is
;; seen too.
@macro follow
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
    @head
    @offsets
    @follow
    (i32.shr_u (local.get $node) (i32.const 2)))

  ;; enterSection, findHash, exit. FAR, with the section open, when the hand has moved too far.
  (func (export "lookUpHash")
      (param $wr i32) (param $at i32) (param $chainsAt i32) (param $behind i32) (param $hash i32)
      (result i32)
    (local $seen i32) (local $chains i32) (local $link i32) (local $node i32) (local $left i32)
    ;; [I] [R1] As in enterSection.
    (local.set $wr (i32.shl (local.get $wr) (i32.const 2)))
    (local.set $at (i32.shl (local.get $at) (i32.const 2)))
    (local.set $seen (i32.atomic.load (local.get $wr)))
    (i32.atomic.store (local.get $at) (local.get $seen))
    (if (i32.gt_u
          (i32.sub (i32.atomic.load (local.get $wr)) (local.get $seen))
          (i32.const {NEAR}))
      (then (return (i32.const {FAR}))))
    @head
    @offsets
    @follow
    ;; [R2] Atomic: all our reads happen before what a poll allows that reads this 0.
    (i32.atomic.store (local.get $at) (i32.const 0))
    (i32.shr_u (local.get $node) (i32.const 2)))

  ;; findMany of compound.ts. $own is bytes: words of this worker's own, read and written plainly.
  (func (export "findMany")
      (param $at i32) (param $count i32) (param $first i32) (param $shift i32) (param $behind i32)
    (local $own i32) (local $end i32) (local $hash i32) (local $chainsAt i32)
    (local $chains i32) (local $link i32) (local $node i32) (local $left i32)
    (local.set $own (i32.shl (local.get $at) (i32.const 2)))
    (local.set $end (i32.add (local.get $own) (i32.shl (local.get $count) (i32.const 2))))
    (block $none
      (br_if $none (i32.eq (local.get $own) (local.get $end)))
      (loop $heads
        (local.set $hash (i32.load (local.get $own)))
        (local.set $chainsAt
          (i32.add (local.get $first) (i32.shr_u (local.get $hash) (local.get $shift))))
    @head
        (i32.store offset={MANY_OFFSET} (local.get $own)
          (i32.or
            (i32.shr_u (local.get $node) (i32.const 2))
            (i32.and (local.get $chains) (i32.const {LINK_MASK}))))
        (local.set $own (i32.add (local.get $own) (i32.const 4)))
        (br_if $heads (i32.ne (local.get $own) (local.get $end))))
      (local.set $behind (i32.shl (local.get $behind) (i32.const 2)))
      (local.set $own (i32.shl (local.get $at) (i32.const 2)))
      (loop $next
        (local.set $hash (i32.load (local.get $own)))
        (local.set $node (i32.load offset={MANY_OFFSET} (local.get $own)))
        (local.set $link (i32.and (i32.const {LINK_MASK}) (local.get $node)))
        (local.set $node (i32.shl (i32.xor (local.get $node) (local.get $link)) (i32.const 2)))
        (local.set $link (i32.add (local.get $behind) (i32.shl (local.get $link) (i32.const 2))))
    @follow
        (i32.store offset={MANY_OFFSET} (local.get $own)
          (i32.shr_u (local.get $node) (i32.const 2)))
        (local.set $own (i32.add (local.get $own) (i32.const 4)))
        (br_if $next (i32.ne (local.get $own) (local.get $end))))))

  ;; ---- tries -----------------------------------------------------------------------------------

;; Loads the first word of the node that $link leads to: to $node, $next (its level) and $bits. Inside,
;; nodes are bytes.
@macro enter
    (local.set $node (i32.shl (local.get $link) (i32.const 2)))
    (local.set $bits (i32.atomic.load (local.get $node)))
    (local.set $next (i32.shr_u (local.get $bits) (i32.const {LEVEL_AT})))
    (local.set $bits (i32.and (local.get $bits) (i32.const {SLOTS})))
@end

;; Follows the link for the key: to $link. If the node has slots on the left of it, they are the ones to
;; come back to.
@macro descend
    (local.set $digit (i32.and
      (i32.shr_u (local.get $key)
        (i32.sub (i32.const {TOP_DIGIT}) (i32.shl (local.get $level) (i32.const 2))))
      (i32.const {DIGIT_MASK})))
    (local.set $next (i32.and (local.get $bits)
      (i32.sub (i32.shl (i32.const 2) (local.get $digit)) (i32.const 1))))
    (if (local.get $next)
      (then
        (local.set $left (local.get $node))
        (local.set $leftBits (local.get $next))))
    (local.set $link (i32.atomic.load offset={DIGIT_OFFSET}
      (i32.add (local.get $node) (i32.shl (local.get $digit) (i32.const 2)))))
@end

  ;; lastOf of compound.ts.
  (func $lastOf (param $node i32) (param $bits i32) (result i32)
    (local $slot i32) (local $link i32) (local $next i32) (local $level i32)
    (local.set $level (i32.const -1))
    (block $none
      (loop $step
        (br_if $none (i32.eqz (local.get $bits)))
        (local.set $slot (i32.sub (i32.const 31) (i32.clz (local.get $bits))))
        (local.set $link (i32.atomic.load offset={SLOT_OFFSET}
          (i32.add (local.get $node) (i32.shl (local.get $slot) (i32.const 2)))))
        (if (i32.and (local.get $link) (i32.const {RECORD}))
          (then (return (i32.sub (local.get $link) (i32.const {RECORD})))))
        (local.set $bits (i32.xor (local.get $bits) (i32.shl (i32.const 1) (local.get $slot))))
        (br_if $step (i32.eqz (local.get $link)))
    @enter
        (br_if $none (i32.le_s (local.get $next) (local.get $level)))
        (local.set $level (local.get $next))
        (br $step)))
    (i32.const {UNSURE}))

  ;; floorOnce of compound.ts. $rootAt is bytes.
  (func $floorOnce
      (param $rootAt i32) (param $word i32) (param $flip i32) (param $key i32) (result i32)
    (local $node i32) (local $bits i32) (local $left i32) (local $leftBits i32) (local $level i32)
    (local $link i32) (local $next i32) (local $digit i32) (local $root i32)
    (local $item i32) (local $found i32) (local $differs i32)
    (local.set $root (i32.atomic.load (local.get $rootAt)))
    (if (i32.eqz (local.get $root)) (then (return (i32.const 0))))
    (local.set $level (i32.const -1))
    (local.set $link (local.get $root))
    (block $down
      (loop $step
        (br_if $down (i32.eqz (local.get $link)))
        (br_if $down (i32.and (local.get $link) (i32.const {RECORD})))
    @enter
        (if (i32.le_s (local.get $next) (local.get $level))
          (then (return (i32.const {UNSURE}))))
        (if (i32.gt_u (local.get $next) (i32.const {LAST_LEVEL}))
          (then (return (i32.const {UNSURE}))))
        (local.set $level (local.get $next))
    @descend
        (br $step)))
    (if (local.get $link)
      (then (local.set $item (i32.sub (local.get $link) (i32.const {RECORD}))))
      (else
        (if (i32.eq (local.get $left) (local.get $node))
          (then (local.set $bits (local.get $leftBits))))
        (local.set $item (call $lastOf (local.get $node) (local.get $bits)))
        (if (i32.eq (local.get $item) (i32.const {UNSURE}))
          (then (return (i32.const {UNSURE}))))))
    ;; Plain: the key of a record does not change.
    (local.set $found (i32.xor
      (i32.load (i32.shl (i32.add (local.get $item) (local.get $word)) (i32.const 2)))
      (local.get $flip)))
    (if (i32.eq (local.get $found) (local.get $key)) (then (return (local.get $item))))
    (local.set $differs (i32.shr_u
      (i32.clz (i32.xor (local.get $found) (local.get $key)))
      (i32.const 2)))
    (if (i32.ge_s (local.get $differs) (local.get $level))
      (then
        (if (i32.lt_u (local.get $found) (local.get $key)) (then (return (local.get $item)))))
      (else
        (local.set $left (i32.const 0))
        (local.set $level (i32.const -1))
        (local.set $link (local.get $root))
        (block $deep
          (loop $again
            (br_if $deep (i32.and (local.get $link) (i32.const {RECORD})))
    @enter
            (br_if $deep (i32.gt_s (local.get $next) (local.get $differs)))
            (if (i32.le_s (local.get $next) (local.get $level))
              (then (return (i32.const {UNSURE}))))
            (local.set $level (local.get $next))
    @descend
            (br_if $again (local.get $link))
            (return (i32.const {UNSURE}))))
        (if (i32.lt_u (local.get $found) (local.get $key))
          (then
            (if (i32.and (local.get $link) (i32.const {RECORD}))
              (then (return (i32.sub (local.get $link) (i32.const {RECORD})))))
            (return (call $lastOf (local.get $node) (local.get $bits)))))))
    (if (i32.eqz (local.get $left)) (then (return (i32.const 0))))
    (call $lastOf (local.get $left) (local.get $leftBits)))

  (func (export "floorWord")
      (param $changesAt i32) (param $rootAt i32) (param $word i32) (param $flip i32) (param $key i32)
      (result i32)
    (local $before i32) (local $item i32)
    (local.set $changesAt (i32.shl (local.get $changesAt) (i32.const 2)))
    (local.set $before (i32.atomic.load (local.get $changesAt)))
    (if (i32.and (local.get $before) (i32.const 1)) (then (return (i32.const {UNSURE}))))
    (local.set $item (call $floorOnce
      (i32.shl (local.get $rootAt) (i32.const 2))
      (local.get $word) (local.get $flip) (local.get $key)))
    ;; [V] As in compound.ts.
    (select
      (local.get $item)
      (i32.const {UNSURE})
      (i32.eq (i32.atomic.load (local.get $changesAt)) (local.get $before)))))
