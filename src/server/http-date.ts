/** The Date field's value (RFC 9110 5.6.7), made anew when the coarse clock has moved on. */
export class HttpDate {
  #at = Number.NaN;
  #second = -1;
  #text = '';

  /** `now` is the server's coarse time: while it stands still, so does the date. */
  get(now: number): string {
    if (now !== this.#at) {
      this.#at = now;
      const second = Math.floor(Date.now() / 1000);
      if (second !== this.#second) {
        this.#second = second;
        this.#text = new Date(second * 1000).toUTCString();
      }
    }
    return this.#text;
  }
}
