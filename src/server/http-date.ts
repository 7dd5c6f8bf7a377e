/** The Date field's value (RFC 9110 5.6.7), made once per second. */
export class HttpDate {
  #second = -1;
  #text = '';

  get(now: number = Date.now()): string {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#text = new Date(second * 1000).toUTCString();
    }
    return this.#text;
  }
}
