/** Made by the build: the modules that lazy parts of the interface share with the element, by name. */
declare module 'vestibule:shared' {
  export const shared: Readonly<Record<string, unknown>>;
}
