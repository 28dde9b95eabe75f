// The settings of .env, so that a misspelt name does not compile.
interface ImportMetaEnv {
  readonly VITE_VESTIBULE_URL: string;
  readonly VITE_PUBLIC_TOKEN: string;
  readonly VITE_DOMAIN_KEY: string;
}
