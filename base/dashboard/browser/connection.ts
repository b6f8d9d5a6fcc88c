/**
 * How a dashboard hears of its program: asks whether it may look, shows the login where it may not, and listens to the stream
 * for as long as the page is there.
 */
import { byId, setText, show } from "./dom.ts";
import { duration, moment } from "./text.ts";

export interface Listener<Message> {
  /** All there is. */
  readonly full: (message: Message) => void;
  /** What came since the last message. */
  readonly next: (message: Message) => void;
}

/** What every message says of the program. */
export interface ProgramNow {
  readonly nowUnixMs: number;
  readonly boot: string;
  readonly startedUnixMs: number;
}

/** A clock that differs by more is said. */
const skewMs = 5_000;
/** Without a message for so long the stream is opened anew: a machine that slept does not notice that it broke. */
const silentMs = 15_000;
const againMs = 3_000;

export class Connection<Message extends { readonly now: ProgramNow }> {
  readonly #listener: Listener<Message>;
  #stream: EventSource | undefined;
  #heardAtMs = 0;
  #boot: string | undefined;
  #lostAtUnixMs: number | undefined;
  #again: ReturnType<typeof setTimeout> | undefined;

  constructor(listener: Listener<Message>) {
    this.#listener = listener;
    byId("login").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#logIn();
    });
    byId("logout").addEventListener("click", () => void this.#logOut());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.#check();
    });
    setInterval(() => this.#check(), againMs);
  }

  /** Begins to listen, or to ask for a token. */
  async open(): Promise<void> {
    clearTimeout(this.#again);
    const session = await fetch("/dashboard/session").catch(() => undefined);
    if (session?.ok !== true) return this.#lost();
    const { mayLook, isLoggedIn } = (await session.json()) as { mayLook: boolean; isLoggedIn: boolean };
    show(byId("logout"), isLoggedIn);
    show(byId("login"), !mayLook);
    if (mayLook) this.#listen();
    else this.#askForToken();
  }

  #askForToken(): void {
    this.#end();
    show(byId("main"), false);
    this.#state("waiting", "Not logged in");
    if (this.#boot !== undefined) setText(byId("login-error"), "Your session has ended. Log in again.");
    byId("token").focus();
  }

  #listen(): void {
    this.#end();
    const stream = new EventSource("/dashboard/stream");
    this.#stream = stream;
    this.#heardAtMs = performance.now();
    stream.addEventListener("full", (event) =>
      this.#heard(JSON.parse(event.data as string) as Message, true),
    );
    stream.addEventListener("next", (event) =>
      this.#heard(JSON.parse(event.data as string) as Message, false),
    );
    stream.addEventListener("error", () => {
      this.#lost();
      // The browser tries again by itself unless it was refused.
      if (stream.readyState === EventSource.CLOSED) this.#tryAgain();
    });
  }

  #heard(message: Message, isFull: boolean): void {
    this.#heardAtMs = performance.now();
    const { now } = message;
    if (isFull) {
      show(byId("main"), true);
      this.#tellReturn(now);
      this.#boot = now.boot;
      this.#listener.full(message);
    } else this.#listener.next(message);
    const behindMs = now.nowUnixMs - Date.now();
    const skew =
      Math.abs(behindMs) < skewMs
        ? ""
        : ` · this browser's clock is ${duration(Math.abs(behindMs))} ${behindMs > 0 ? "behind" : "ahead"}; times are the server's`;
    this.#state("live", `Live · ${moment(now.nowUnixMs, now.nowUnixMs)}${skew}`);
  }

  #tellReturn(now: ProgramNow): void {
    const notice = byId("notice");
    const isNew = this.#boot !== undefined && this.#boot !== now.boot;
    const text = isNew
      ? `The program was restarted at ${moment(now.startedUnixMs, now.nowUnixMs)}; its history begins there.`
      : "";
    setText(notice, text);
    show(notice, isNew);
    this.#lostAtUnixMs = undefined;
  }

  #lost(): void {
    this.#lostAtUnixMs ??= Date.now();
    const since = moment(this.#lostAtUnixMs, Date.now());
    this.#state("lost", `No answer since ${since}; trying again`);
    const notice = byId("notice");
    setText(
      notice,
      `The program does not answer since ${since}. What is below is as it was then; this page tries again by itself.`,
    );
    show(notice, this.#boot !== undefined);
    if (this.#stream === undefined) this.#tryAgain();
  }

  #tryAgain(): void {
    this.#end();
    clearTimeout(this.#again);
    this.#again = setTimeout(() => void this.open(), againMs);
  }

  #check(): void {
    if (this.#stream === undefined || performance.now() - this.#heardAtMs < silentMs) return;
    this.#lost();
    this.#heardAtMs = performance.now();
    void this.open();
  }

  #end(): void {
    this.#stream?.close();
    this.#stream = undefined;
  }

  #state(state: "waiting" | "live" | "lost", text: string): void {
    const line = byId("connection");
    line.dataset["state"] = state;
    setText(line, text);
  }

  async #logIn(): Promise<void> {
    const [field, error] = [byId("token") as HTMLInputElement, byId("login-error")];
    const answer = await post("/dashboard/login", { token: field.value.trim() });
    if (answer === undefined) return setText(error, "The program does not answer. Try again.");
    if (!answer.ok) return setText(error, ((await answer.json()) as { error: string }).error);
    field.value = "";
    setText(error, "");
    await this.open();
  }

  async #logOut(): Promise<void> {
    this.#boot = undefined;
    await post("/dashboard/logout", {});
    await this.open();
  }
}

/** Undefined when nobody answers. */
export function post(path: string, body: object): Promise<Response | undefined> {
  const headers = { "content-type": "application/json" };
  return fetch(path, { method: "POST", headers, body: JSON.stringify(body) }).catch(() => undefined);
}
