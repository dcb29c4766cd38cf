// runs before the first paint, so that neither colours nor language change under the reader's eyes
{
  /** @param {string} name */
  const stored = (name) => {
    try {
      return localStorage.getItem(name)
    } catch {
      // storage may be forbidden; the browser's own choices hold then
      return null
    }
  }
  const theme = stored('porteiro.theme')
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme
  const locale = stored('porteiro.locale') ?? (navigator.language.startsWith('pt') ? 'pt-BR' : 'en')
  document.documentElement.lang = locale === 'en' ? 'en' : 'pt-BR'
}
