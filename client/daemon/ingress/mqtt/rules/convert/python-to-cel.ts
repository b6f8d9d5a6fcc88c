/**
 * Conditions in the Python of older rule files as CEL: comparisons, `in`, `and`, `or`, `not`, subscripts of the message,
 * numbers, texts and lists. The text is read, never run; what is anything else is refused.
 */

/** What the message is called there. */
const messageNames = new Set(["data_to_dict", "data_dict", "data"]);
const comparisons = new Set(["==", "!=", "<", "<=", ">", ">="]);
const constants: Readonly<Record<string, string>> = { True: "true", False: "false", None: "null" };
const functions: Readonly<Record<string, string>> = {
  len: "size",
  float: "double",
  int: "int",
  str: "string",
};
const methods: Readonly<Record<string, string>> = { startswith: "startsWith", endswith: "endsWith" };
/** Longest condition that is read, and its deepest nesting. */
const mostChars = 2_000;
const mostDepth = 30;

const tokenAt =
  /\s*(?:([A-Za-z_][A-Za-z0-9_]*)|([0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(==|!=|<=|>=|[-+*/%<>()[\],.])|$)/y;

interface Token {
  readonly kind: "name" | "number" | "text" | "sign" | "end";
  readonly text: string;
  readonly at: number;
}

/**
 * @example
 * celOfPython(`"press-3" == data_to_dict['deviceInfo']['deviceName']`); // "press-3" == data.deviceInfo.deviceName
 *
 * @throws Error that names the character and what is not carried over
 */
export function celOfPython(python: string): string {
  if (python.length > mostChars) throw new Error(`it has more than ${mostChars} characters`);
  const reader = new PythonReader(tokensOf(python));
  return reader.whole();
}

/** A text as CEL writes it. */
export function celLiteral(text: string): string {
  return JSON.stringify(text);
}

function tokensOf(python: string): Token[] {
  const tokens: Token[] = [];
  tokenAt.lastIndex = 0;
  for (;;) {
    const at = tokenAt.lastIndex;
    const found = tokenAt.exec(python);
    if (found === null)
      throw new Error(`character ${at + 1}, ${JSON.stringify(python.slice(at, at + 20))}, is not understood`);
    const [, name, number, text, sign] = found;
    if (name !== undefined) tokens.push({ kind: "name", text: name, at });
    else if (number !== undefined) tokens.push({ kind: "number", text: number, at });
    else if (text !== undefined) tokens.push({ kind: "text", text: unquoted(text), at });
    else if (sign !== undefined) tokens.push({ kind: "sign", text: sign, at });
    else {
      tokens.push({ kind: "end", text: "", at });
      return tokens;
    }
  }
}

const escapes: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  "\\": "\\",
  "'": "'",
  '"': '"',
};

function unquoted(text: string): string {
  return text.slice(1, -1).replaceAll(/\\(.)/g, (_, letter: string) => {
    const meant = escapes[letter];
    if (meant === undefined) throw new Error(`the escape \\${letter} is not understood`);
    return meant;
  });
}

class PythonReader {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): string {
    const cel = this.#or();
    const rest = this.#next;
    if (rest.kind !== "end") throw this.#refused(rest);
    return cel;
  }

  get #next(): Token {
    return this.#tokens[this.#at] as Token;
  }

  #take(kind: Token["kind"], text?: string): Token | undefined {
    const next = this.#next;
    if (next.kind !== kind || (text !== undefined && next.text !== text)) return undefined;
    this.#at++;
    return next;
  }

  #need(sign: string): void {
    if (this.#take("sign", sign) === undefined) throw this.#refused(this.#next, `${sign} was expected`);
  }

  #refused({ kind, text, at }: Token, why = "has no counterpart"): Error {
    return new Error(`${kind === "end" ? "the end" : JSON.stringify(text)} at character ${at + 1} ${why}`);
  }

  /** CEL binds && before ||, as Python does and and or. */
  #or(): string {
    if (++this.#depth > mostDepth) throw new Error(`it is nested more than ${mostDepth} deep`);
    const parts = [this.#and()];
    while (this.#take("name", "or") !== undefined) parts.push(this.#and());
    this.#depth--;
    return parts.join(" || ");
  }

  #and(): string {
    const parts = [this.#not()];
    while (this.#take("name", "and") !== undefined) parts.push(this.#not());
    return parts.join(" && ");
  }

  #not(): string {
    return this.#take("name", "not") === undefined ? this.#comparison() : `!(${this.#not()})`;
  }

  /** `a < b < c` means `a < b and b < c`. */
  #comparison(): string {
    const parts: string[] = [];
    let left = this.#sum();
    for (;;) {
      const operator = this.#operator();
      if (operator === undefined) return parts.length === 0 ? left : parts.join(" && ");
      const right = this.#sum();
      parts.push(operator === "not in" ? `!(${left} in ${right})` : `${left} ${operator} ${right}`);
      left = right;
    }
  }

  #operator(): string | undefined {
    const { kind, text } = this.#next;
    if (kind === "sign" && comparisons.has(text)) {
      this.#at++;
      return text;
    }
    if (this.#take("name", "in") !== undefined) return "in";
    if (this.#take("name", "is") !== undefined) return this.#take("name", "not") === undefined ? "==" : "!=";
    if (kind !== "name" || text !== "not") return undefined;
    this.#at++;
    if (this.#take("name", "in") === undefined)
      throw this.#refused(this.#next, "follows not; in was expected");
    return "not in";
  }

  #sum(): string {
    return this.#joined(["+", "-"], () => this.#joined(["*", "/", "%"], () => this.#unary()));
  }

  #joined(signs: readonly string[], operand: () => string): string {
    let cel = operand();
    for (;;) {
      const sign = signs.find((each) => this.#take("sign", each) !== undefined);
      if (sign === undefined) return cel;
      cel = `${cel} ${sign} ${operand()}`;
    }
  }

  #unary(): string {
    return this.#take("sign", "-") === undefined ? this.#postfix() : `-${this.#postfix()}`;
  }

  #postfix(): string {
    let cel = this.#atom();
    for (;;) {
      if (this.#take("sign", "[") !== undefined) {
        cel = this.#subscripted(cel);
        this.#need("]");
      } else if (this.#take("sign", ".") !== undefined) cel = this.#called(cel);
      else return cel;
    }
  }

  #subscripted(cel: string): string {
    const text = this.#take("text");
    if (text !== undefined) return memberOf(cel, text.text);
    const isLast = this.#take("sign", "-") !== undefined;
    const number = this.#take("number");
    if (number === undefined || !/^[0-9]+$/.test(number.text))
      throw this.#refused(this.#next, "is no name or number of a member");
    return isLast ? `${cel}[size(${cel}) - ${number.text}]` : `${cel}[${number.text}]`;
  }

  #called(cel: string): string {
    const name = this.#next;
    this.#at++;
    if (name.kind !== "name" || (name.text !== "get" && methods[name.text] === undefined))
      throw this.#refused(name);
    this.#need("(");
    const argument = this.#take("text");
    if (argument === undefined) throw this.#refused(this.#next, "is no text");
    this.#need(")");
    return name.text === "get"
      ? memberOf(cel, argument.text)
      : `${cel}.${methods[name.text]}(${celLiteral(argument.text)})`;
  }

  #atom(): string {
    const token = this.#next;
    this.#at++;
    if (token.kind === "text") return celLiteral(token.text);
    if (token.kind === "number")
      return token.text.endsWith(".") ? `${token.text}0` : token.text.replace(/^\./, "0.");
    if (token.kind === "sign" && token.text === "(") {
      const inner = this.#or();
      this.#need(")");
      return `(${inner})`;
    }
    if (token.kind === "sign" && token.text === "[") return this.#list();
    if (token.kind !== "name") throw this.#refused(token);
    if (messageNames.has(token.text)) return "data";
    const constant = constants[token.text];
    if (constant !== undefined) return constant;
    const called = functions[token.text];
    if (called === undefined) throw this.#refused(token);
    this.#need("(");
    const inner = this.#or();
    this.#need(")");
    return `${called}(${inner})`;
  }

  #list(): string {
    const items: string[] = [];
    while (this.#take("sign", "]") === undefined) {
      items.push(this.#or());
      if (this.#take("sign", ",") === undefined) {
        this.#need("]");
        break;
      }
    }
    return `[${items.join(", ")}]`;
  }
}

function memberOf(cel: string, name: string): string {
  return /^[\p{L}_][\p{L}\p{N}_]*$/u.test(name) && !reserved.has(name)
    ? `${cel}.${name}`
    : `${cel}[${celLiteral(name)}]`;
}

/** Words that CEL does not take as names. */
const reserved = new Set([
  "in",
  "true",
  "false",
  "null",
  "as",
  "break",
  "const",
  "continue",
  "else",
  "for",
  "function",
]);
