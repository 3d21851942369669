/**
 * The end of a domain: its readers leave, its callbacks run, its zones are gone already, its memory
 * goes back.
 */

import { Exhausted, Misuse, show } from '../errors.ts'
import { DomainWords } from '../memory/layout.ts'
import { timeoutOf, type WaitOptions } from '../memory/patience.ts'
import type { Smr } from './domain.ts'

/**
 * Ends a domain: waits for its readers, then gives its memory back. Misuse while zones are bound
 * to it; Exhausted if readers do not leave in time, it then goes on.
 */
export function destroySmr(smr: Smr, options: WaitOptions | undefined): void {
  const { space, address, name } = smr
  const users = space.memory.load(address + DomainWords.users)
  if (users !== 0) {
    throw new Misuse(
      `smr.destroy: domain ${show(name)}: ${users} zones are bound to it; destroy them first`,
      {
        domain: name,
        zones: users,
      },
    )
  }
  timeoutOf('smr.destroy', options)
  const timeoutMs = smr.patience(options?.timeoutMs)
  if (!smr.synchronize({ timeoutMs })) {
    throw new Exhausted(
      `smr.destroy: domain ${show(name)}: sections are still open after the wait`,
      {
        domain: name,
      },
    )
  }
  smr.runAllCalls(timeoutMs)
  const unused = (): boolean => space.memory.load(address + DomainWords.users) === 0
  const { directory } = space
  const ended = directory.remove(smr.serial, () => space.pages.release(address), unused)
  if (!ended && directory.names(smr.serial)) {
    throw new Misuse(`smr.destroy: domain ${show(name)}: a zone was bound to it meanwhile`, {
      domain: name,
    })
  }
  // Its name is gone. If its memory is not, a call that was to end it has failed in the middle.
  if (!ended && smr.isAlive()) space.sweep()
  smr.close()
}
