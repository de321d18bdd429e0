package api

import (
	"cmp"
	"slices"
	"strings"
)

// Locales are the language codes Meilisearch knows: all two-letter codes, then all three-letter ones, in the order
// error texts list them.
func Locales() []string { return strings.Fields(twoLetters + " " + threeLetters + " cmn") }

const twoLetters = "af ak am ar az be bn bg ca cs da de el en eo et fi fr gu he hi hr hu hy id it jv ja kn ka km ko la " +
	"lv lt ml mr mk my ne nl nb or pa fa pl pt ro ru si sk sl sn es sr sv ta te tl th tk tr uk ur uz vi " +
	"yi zh zu"

const threeLetters = "afr aka amh ara aze bel ben bul cat ces dan deu ell eng epo est fin fra guj heb hin hrv hun hye ind " +
	"ita jav jpn kan kat khm kor lat lav lit mal mar mkd mya nep nld nob ori pan pes pol por ron rus sin " +
	"slk slv sna spa srp swe tam tel tgl tha tuk tur ukr urd uzb vie yid zho zul"

func knownLocale(code string) bool { return slices.Contains(Locales(), code) }

// sortedLocales is shortest first, then by letter: the order of one error text.
func sortedLocales() []string {
	all := Locales()
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	return all
}
