/** The frame that every dashboard has: its head, the login, and the line that says whether the page hears of the program. */

export interface PageFrame {
  readonly title: string;
  /** What the page is of, after the product's name. */
  readonly of: string;
  /** The page's first module, below `/dashboard/assets/`. */
  readonly script: string;
  /** Its panels. */
  readonly main: string;
}

export const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1f6fb2"/><path d="M6 11h11v10h9" fill="none" stroke="#fff" stroke-width="4" stroke-linecap="round" stroke-linejoin="round"/><circle cx="7" cy="21" r="2.6" fill="#fff"/></svg>`;

export function pageShell({ title, of, script, main }: PageFrame): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="/dashboard/assets/icon.svg">
<link rel="stylesheet" href="/dashboard/assets/style.css">
<script type="module" src="/dashboard/assets/${script}"></script>
</head>
<body>
<a class="skip" href="#main">Skip to the figures</a>
<header class="bar">
<p class="brand"><img src="/dashboard/assets/icon.svg" alt="" width="24" height="24"><strong>Spillway</strong> <span>${of}</span></p>
<p id="connection" data-state="waiting">Connecting…</p>
<button type="button" id="logout" hidden>Log out</button>
</header>
<p id="notice" role="alert" hidden></p>
<p id="announcement" class="unseen" role="status"></p>
<noscript><p class="card">This page shows live figures and needs JavaScript. The same figures are at <code>/metrics</code> and <code>/admin/status</code>.</p></noscript>
<form id="login" class="card" hidden>
<h1>Log in</h1>
<p>This page is for who may administer. The log of the program says where its admin token is: look for <q>admin token</q>.</p>
<input type="text" name="username" value="admin" autocomplete="username" hidden>
<label for="token">Admin token, or an API key with the scope <code>admin</code></label>
<input id="token" name="token" type="password" autocomplete="current-password" required aria-describedby="login-error">
<p id="login-error" role="alert"></p>
<button type="submit">Log in</button>
</form>
<main id="main" tabindex="-1" hidden>
${main}
</main>
</body>
</html>
`;
}
