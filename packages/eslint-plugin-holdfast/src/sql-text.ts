/** Stands in a text for a part that is only known at run time. */
export const hole = '\uFFFC'

const name = String.raw`["\w.$\uFFFC]+`
const object = 'table|index|view|database|schema|role|owned|extension|sequence|policy|trigger|publication|subscription'

// One verb is also a word of English, so each needs a second sign that SQL is meant.
const statements: readonly RegExp[] = [
  String.raw`select\s[^]*?\sfrom\s+["\w(:${hole}]`,
  String.raw`select\s+(distinct\s+)?["\w.]+\(`,
  String.raw`select\s[^]*::\w`,
  String.raw`insert\s+into\s+${name}`,
  String.raw`update\s+(only\s+)?${name}(\s+(as\s+)?\w+)?\s+set\b`,
  String.raw`delete\s+from\s+${name}`,
  String.raw`merge\s+into\s+${name}`,
  String.raw`with\s+(recursive\s+)?${name}\s*(\([^)]*\)\s*)?as\s+((not\s+)?materialized\s*)?\(`,
  String.raw`values\s*\(`,
  String.raw`create\s+(or\s+replace\s+)?((global|local|temp|temporary|unlogged|unique|materialized|recursive)\s+)*(${object})\b`,
  String.raw`create\s+(or\s+replace\s+)?(function|procedure)\s+${name}\s*\(`,
  String.raw`create\s+type\s+${name}\s+as\b`,
  String.raw`alter\s+(${object}|user|type|function|system|default)\s`,
  String.raw`drop\s+(materialized\s+)?(${object}|user|type|function|procedure)\s`,
  String.raw`truncate\s+(table\s|only\s|${name}(\s*,\s*${name})*\s+(cascade|restart)\b)`,
  String.raw`set\s+(local|session|role|constraints|search_path|transaction)\b`,
  String.raw`grant\s[^]+\son\s[^]+\sto\s`,
  String.raw`revoke\s[^]+\son\s[^]+\sfrom\s`,
  String.raw`lock\s+table\s`,
  String.raw`copy\s+${name}\s*(\([^)]*\)\s*)?(from|to)\s+(stdin|stdout|program|')`,
  String.raw`explain\s+(\([^)]*\)\s*|analyze\s+|verbose\s+)*(select|insert|update|delete|with)\b`,
  String.raw`refresh\s+materialized\s+view\b`,
  String.raw`comment\s+on\s+(table|column|schema)\b`,
].map(atStart)

// Pieces of statements, which somebody puts together further on.
const clauses: readonly RegExp[] = [
  String.raw`from\s+${name}\s+(as\s+)?(\w+\s+)?(where|join|order\s+by)\b`,
  String.raw`(where|having)\s+${name}\s*([=<>~]|!=|\s(not\s+)?(i?like|in|between)\b|\sis\s)`,
  String.raw`(and|or)\s+${name}\s*([=<>~]+|!=|\s(not\s+)?i?like|\s(not\s+)?in)\s*['(%]*${hole}`,
  String.raw`(order|group)\s+by\s+\S`,
  String.raw`limit\s+\S+\s+offset\b`,
  String.raw`((left|right|inner|full|cross)\s+(outer\s+)?)?join\s+${name}\s+(as\s+)?(\w+\s+)?on\s`,
  String.raw`set\s+["\w]+\s*=\s*'?${hole}'?\s*(,|where\b)`,
].map(atStart)

const verbs = new RegExp(
  String.raw`^(${hole}\s*)?(alter|create|delete|drop|explain|from|grant|insert|listen|notify|order\s+by|reindex|revoke|rollback|savepoint|select|set|truncate|unlisten|update|vacuum|values|where|with)\b(?!-)`,
  'i',
)

/** Whether a text that may be anything is SQL. Sentences such as `Select a file from …` are not. */
export function readsLikeSql(text: string): boolean {
  const code = withoutLead(text)
  if (isSentence(code)) return false
  return [...statements, ...clauses].some((pattern) => pattern.test(code))
}

/** Whether a text that is handed to a database begins as SQL does. */
export function beginsLikeSql(text: string): boolean {
  return verbs.test(withoutLead(text))
}

function atStart(pattern: string): RegExp {
  return new RegExp(`^${pattern}`, 'i')
}

function withoutLead(text: string): string {
  return text.replace(/^(\s|\(|--[^\n]*\n|\/\*[^]*?\*\/)+/, '')
}

// SQL is written in small letters or in capitals; a capital at the beginning, or an article, makes it a sentence.
function isSentence(text: string): boolean {
  return (
    /^[A-Z][a-z]/.test(text) || /^select\s+(an?|the|one|your|some|another|this|that)\s+(?!from\b|as\b)[a-z]/i.test(text)
  )
}
