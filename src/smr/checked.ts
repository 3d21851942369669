/** A domain as a worker of a checked arena sees it: it remembers where its sections were entered. */

import { Smr } from './domain.ts'

export class CheckedSmr extends Smr {
  private enteredAt: Error | undefined

  override enter(): void {
    super.enter()
    this.enteredAt = new Error('entered here')
  }

  protected override whereEntered(): string {
    const frames = this.enteredAt?.stack?.split('\n').slice(1).join('\n')
    return frames === undefined ? '' : `\nIt was entered\n${frames}`
  }
}
