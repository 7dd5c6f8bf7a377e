/**
 * Where in the HTML a value is written. Escaping makes a value harmless as text and in quoted attributes; in other
 * places it does not, so there a value is refused when the template is read, and a value that begins a URL attribute
 * gets `safe_url`, which no quoting could replace.
 */
import { fault } from '../errors/index.ts';

const URL_ATTRIBUTES = new Set([
  'href',
  'src',
  'action',
  'formaction',
  'poster',
  'cite',
  'data',
  'background',
  'xlink:href',
]);

type State =
  | 'text'
  | 'tag'
  | 'name'
  | 'equals'
  | 'bare'
  | 'double'
  | 'single'
  | 'comment'
  | 'script'
  | 'style'
  | 'rawtext';

class HtmlState {
  state: State = 'text';
  element = '';
  attribute = '';
  /** Whether something of the attribute's value has been written. */
  begun = false;
  closing = false;

  read(html: string): void {
    for (let i = 0; i < html.length; i++) {
      const char = html[i] as string;
      switch (this.state) {
        case 'text': {
          if (char !== '<') break;
          if (html.startsWith('<!--', i)) {
            this.state = 'comment';
            i += 3;
            break;
          }
          const name = /^<(\/?)([A-Za-z][^\s/>]*)/.exec(html.slice(i, i + 60));
          if (name === null) break;
          this.closing = name[1] === '/';
          this.element = (name[2] as string).toLowerCase();
          this.attribute = '';
          this.state = 'tag';
          i += name[0].length - 1;
          break;
        }
        case 'comment':
          if (html.startsWith('-->', i)) {
            this.state = 'text';
            i += 2;
          }
          break;
        case 'script':
        case 'style':
        case 'rawtext': {
          const end = `</${this.element}`;
          if (char === '<' && html.slice(i, i + end.length).toLowerCase() === end) {
            this.closing = true;
            this.state = 'tag';
            i += end.length - 1;
          }
          break;
        }
        case 'tag':
          if (char === '>') this.#endTag();
          else if (char === '=' && this.attribute !== '') {
            // HTML allows spaces around the equals sign.
            this.state = 'equals';
            this.begun = false;
          } else if (!/[\s/]/.test(char)) {
            this.state = 'name';
            this.attribute = char;
          }
          break;
        case 'name':
          if (char === '>') this.#endTag();
          else if (char === '=') {
            this.state = 'equals';
            this.begun = false;
          } else if (/[\s/]/.test(char)) this.state = 'tag';
          else this.attribute += char;
          break;
        case 'equals':
          if (char === '"') this.state = 'double';
          else if (char === "'") this.state = 'single';
          else if (char === '>') this.#endTag();
          else if (!/\s/.test(char)) this.state = 'bare';
          break;
        case 'bare':
          if (char === '>') this.#endTag();
          else if (/\s/.test(char)) {
            this.state = 'tag';
            this.attribute = '';
          }
          break;
        case 'double':
        case 'single':
          if (char === (this.state === 'double' ? '"' : "'")) {
            this.state = 'tag';
            this.attribute = '';
          } else this.begun = true;
          break;
      }
    }
  }

  #endTag(): void {
    const raw = ['script', 'style', 'textarea', 'title'].includes(this.element) && !this.closing;
    if (!raw) this.state = 'text';
    else this.state = this.element === 'script' || this.element === 'style' ? this.element : 'rawtext';
  }
}

/** What a value here would need; null when escaping is enough. */
function problem(html: HtmlState): { context: string; fix: string } | null {
  const attribute = html.attribute.toLowerCase();
  switch (html.state) {
    case 'script':
      return {
        context: 'a script',
        fix: 'Hand data over with {{ value | json_script: "id" }} and read it with JSON.parse(document.getElementById("id").textContent)',
      };
    case 'style':
      return {
        context: 'a style sheet',
        fix: 'Use a class, or a custom property in a style attribute of numbers only',
      };
    case 'equals':
    case 'bare':
      return {
        context: 'an attribute without quotes',
        fix: `Put the value in quotes: ${html.attribute}="{{ … }}"`,
      };
    case 'tag':
    case 'name':
      return { context: 'the name of an attribute', fix: 'Write the attribute out, with {% if %} around it' };
    case 'double':
    case 'single':
      if (/^on[a-z]/.test(attribute))
        return {
          context: `the event handler ${attribute}`,
          fix: 'Put the value in a data- attribute and read it from a script',
        };
      if (attribute === 'srcdoc')
        return { context: 'srcdoc', fix: 'Serve the document from a view of its own' };
      return null;
    default:
      return null;
  }
}

const PIECE = /\{%-?\s*(raw|comment)\s*-?%\}[\s\S]*?\{%-?\s*end\1\s*-?%\}|\{\{[\s\S]*?\}\}|\{%[\s\S]*?%\}/g;
// The author has said that this is what is wanted.
const TRUSTED = /\|\s*(?:safe|raw|json_script\b[^|}]*)\s*-?\}\}$/;

/** Checks a template's source, and gives it back with `safe_url` on the values that need it. */
export function protectContexts(source: string, name: string): string {
  const html = new HtmlState();
  let result = '';
  let at = 0;
  for (const match of source.matchAll(PIECE)) {
    const [piece] = match;
    const text = source.slice(at, match.index);
    html.read(text);
    result += text;
    at = match.index + piece.length;
    if (piece.startsWith('{{') && !TRUSTED.test(piece)) {
      const found = problem(html);
      if (found !== null) {
        const line = source.slice(0, match.index).split('\n').length;
        throw fault('SBY_TEMPLATES_UNSAFE', { name, line, ...found });
      }
      const quoted = html.state === 'double' || html.state === 'single';
      if (quoted && !html.begun && URL_ATTRIBUTES.has(html.attribute.toLowerCase())) {
        result += piece.replace(/\s*(-?)\}\}$/, ' | safe_url $1}}');
        html.begun = true;
        continue;
      }
    }
    if (html.state === 'double' || html.state === 'single') html.begun ||= piece.startsWith('{{');
    result += piece;
  }
  return result + source.slice(at);
}
