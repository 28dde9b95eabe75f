// Lint rules. The no-HTML rules are the element's security boundary: model output can only ever
// become DOM through `createElement` and text nodes, so nothing here may parse HTML.
import tseslint from 'typescript-eslint';
import noUnsanitized from 'eslint-plugin-no-unsanitized';

const noHtml = (property) => ({
  property,
  message: 'Build nodes with createElement and text nodes: strings are never parsed as HTML.',
});

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/'] },
  {
    files: ['src/**/*.{ts,tsx}', 'test/unit/**/*.ts', 'test/types/**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { 'no-unsanitized': noUnsanitized },
    rules: {
      'no-eval': 'error',
      'no-implied-eval': 'off', // replaced by the typed rule of the strict preset
      'no-new-func': 'error',
      'no-console': 'error',
      'no-unsanitized/method': 'error',
      'no-unsanitized/property': 'error',
      'no-restricted-properties': [
        'error',
        noHtml('innerHTML'),
        noHtml('outerHTML'),
        noHtml('srcdoc'),
        noHtml('insertAdjacentHTML'),
        noHtml('setHTMLUnsafe'),
        noHtml('parseFromString'),
        noHtml('createContextualFragment'),
        noHtml('dangerouslySetInnerHTML'),
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'JSXAttribute[name.name="dangerouslySetInnerHTML"]', message: 'Strings are never parsed as HTML.' },
        { selector: 'JSXAttribute[name.name="srcdoc"]', message: 'Strings are never parsed as HTML.' },
        { selector: 'JSXAttribute[name.name="style"] > Literal', message: 'Style strings are blocked by strict CSP.' },
      ],
      'no-restricted-globals': [
        'error',
        { name: 'localStorage', message: 'Nothing of a conversation or a credential is stored in the browser.' },
        { name: 'sessionStorage', message: 'Nothing of a conversation or a credential is stored in the browser; `element/reopen.ts` keeps the id of a thread.' },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/consistent-type-definitions': ['error', 'interface'],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    },
  },
  {
    files: ['test/unit/**/*.ts'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
);
