// The commonest of eight characters and more in lists of leaked passwords, and what people make of them here.
const common = new Set(
  `12345678 123456789 1234567890 12345678910 123123123 11111111 111111111 1111111111 00000000 000000000 88888888
  87654321 987654321 0987654321 1234554321 12341234 11223344 112233445566 147258369 123456789a a123456789 1q2w3e4r
  1q2w3e4r5t 1qaz2wsx 1qaz2wsx3edc zaq12wsx q1w2e3r4 qwertyui qwertyuiop qwerty12 qwerty123 qwerty1234 qwerty12345
  qwertzuiop asdfghjk asdfghjkl asdf1234 zxcvbnm1 password password1 password12 password123 password1234 password!
  passw0rd p@ssw0rd p@ssword pa55word passwort passwort1 changeme changeme1 changeme123 letmein1 letmein123 welcome1
  welcome123 iloveyou iloveyou1 iloveyou2 sunshine sunshine1 princess princess1 football football1 baseball
  basketball superman superman1 batman123 starwars starwars1 trustno1 computer computer1 internet michelle jennifer
  charlie1 michael1 jessica1 samantha victoria alexander benjamin elizabeth butterfly chocolate corvette mustang1
  maverick midnight mercedes whatever dragon123 monkey123 shadow123 master123 admin123 admin1234 administrator
  adminadmin abcd1234 abc12345 abcdefgh abcdefg1 aaaaaaaa testtest test1234 testing123 secret123 access14 liverpool
  liverpool1 barcelona pokemon1 pokemon123 google123 samsung1 hello123 hellohello holdfast holdfast1`.split(/\s+/),
)

/** Whether a password is among the first that anybody tries, however it is capitalised. */
export const isCommonPassword = (password: string): boolean => common.has(password.toLowerCase())
