/**
 * A member that breaks the rules, as its role says: what spawn.ts has to survive.
 */

import { exit } from 'node:process'
import { Member } from '../helpers/member.ts'

const member = new Member<undefined>()

if (member.role === 'never begins')
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
member.begin()
if (member.role === 'throws') throw new Error('on purpose')
if (member.role === 'leaves') exit(3)
if (member.role === 'alarmed') member.violation('seen')
while (!member.stopped || member.role === 'never stops');
member.report({ turns: 1 })
