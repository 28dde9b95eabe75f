/**
 * The options that the published types do not know: what a page that is written against this element alone may say
 * more. They are read in `options.ts`; the documentation is made of these comments.
 */

export interface OwnOptions {
  api?: {
    /** A public token (`pk_…`): the door for pages without a login. */
    clientToken?: string;
    /** The server of the hosted doors; where the script came from otherwise. */
    baseUrl?: string;
    /**
     * What the button "Sign in again" does, which stands beside a failure that may be that of a login: `getClientSecret` or
     * `fetch` threw an error with words, or the server answered 401. Called in the click, so it may open a window. When it
     * resolves, the chat asks for the secret again and goes on. Without it, there is no such button. (It stands in `api` and
     * not beside it, because the React bindings take options that begin with `on` for listeners.)
     */
    onSignIn?: () => void | Promise<void>;
  };
  header?: {
    leftAction?: {
      /** What the button is called for those who hear the page; the name of its icon otherwise. */
      label?: string;
    };
    rightAction?: {
      /** The same for the other button. */
      label?: string;
    };
  };
  history?: {
    /** Whether a reload of the page comes back to the conversation that was open. */
    reopen?: boolean;
    /** Whether a conversation can be saved as a file, Markdown or JSON. */
    showExport?: boolean;
  };
  /** The line below the text field that says that this is an AI. */
  aiNotice?: {
    /** Off only where the page says it itself, at the latest when somebody first writes (EU AI Act, Art. 50). */
    enabled?: boolean;
    /** Other words than "You are talking to an AI." in the reader's language. */
    text?: string;
  };
}
