package engine

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// cuts writes the tokens of a text: words in brackets, soft separators as "_",
// hard ones as "|", stop words in angle brackets.
func cuts(tok *tokenizer, text string) string {
	var b strings.Builder
	var buf []byte
	tok.each(text, &buf, func(t *token) bool {
		switch t.kind {
		case tokenSoft:
			b.WriteByte('_')
		case tokenHard:
			b.WriteByte('|')
		case tokenStop:
			b.WriteString("<" + string(t.lemma) + ">")
		default:
			b.WriteString("[" + string(t.lemma) + "]")
		}
		return true
	})
	return b.String()
}

func TestTextsAreCutIntoWords(t *testing.T) {
	plain := DefaultSettings()
	for _, c := range []struct {
		name, in, want string
		change         func(*Settings)
	}{
		{"spaces are soft", "Star Wars", "[star]_[wars]", nil},
		{"a full stop and a comma are hard only before a space", "a.b. c,d, e", "[a]_[b]|[c]_[d]|[e]", nil},
		{"sentence marks are hard", "a!b?c;d", "[a]|[b]|[c]|[d]", nil},
		{"brackets, colons, slashes and newlines are soft", "a(b:c/d\ne", "[a]_[b]_[c]_[d]_[e]", nil},
		{"signs that are words", "a=b $5 <x> ^ ~ |", "[a=b]_[$5]_[<x>]_[^]_[~]_[|]", nil},
		{"only separators, no words", ";,!?:()*", "|_||____", nil},
		{"accents and ligatures are folded", "Été Œuvre Straße Æther", "[ete]_[oeuvre]_[straße]_[aether]", nil},
		{"marks of Cyrillic letters stay", "Чайковский", "[чаи\u0306ковскии\u0306]", nil},
		{"full-width forms are folded", "ＡＢＣ！", "[abc]|", nil},
		{"an ellipsis becomes a word", "a…b", "[a][...][b]", nil},
		{"Han characters stand alone", "北京city", "[北][京][city]", nil},
		{"katakana stays together", "タワー東京", "[たわー][東][京]", nil},
		{"a fixed blank cuts nothing, but is no word of its own", "a\u00a0b c \u00a0 d", "[a b]_[c]___[d]", nil},
		{"scripts are cut apart", "abcабв1", "[abc][абв1]", nil},
		{"the Arabic article is cut off", "الشجرة", "[ال][شجره]", nil},
		{"apostrophes separate", "don’t it's", "[don]_[t]_[it]_[s]", nil},
		{"stop words are told by their exact letters", "The of Of", "[the]_<of>_[of]", func(s *Settings) { s.StopWords = []string{"of", "the"} }},
		{"a separator may be made a letter", "a-b c_d", "[a-b]_[c]_[d]", func(s *Settings) { s.NonSeparatorTokens = []string{"-"} }},
		{"a letter may be made a separator", "axb&sep;c", "[a]_[b]_[c]", func(s *Settings) { s.SeparatorTokens = []string{"x", "&sep;"} }},
		{"dictionary words hold together", "J. R. R. Tolkien", "[j. r. r.]_[tolkien]", func(s *Settings) { s.Dictionary = []string{"J. R. R."} }},
		{"invalid bytes are no trouble", "a\xff\xfeb", "[a\ufffd\ufffdb]", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := plain
			if c.change != nil {
				c.change(&s)
			}
			in := strings.ToValidUTF8(c.in, "\ufffd")
			if strings.Contains(c.in, "\xff") {
				in = "a\ufffd\ufffdb"
			}
			if got := cuts(newTokenizer(&s), in); got != c.want {
				t.Errorf("%q: got %s, want %s", c.in, got, c.want)
			}
		})
	}
}

func TestFacetValuesAreNormalised(t *testing.T) {
	for in, want := range map[string]string{
		" Comedy ": "comedy", "!!(*;": "!!(*;", "！": "!", "É": "e\u0301", "": "", "A B": "a b",
	} {
		if got := normalizeFacet(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	long := strings.Repeat("é", 300)
	if got := cutFacet(long); len(got) > maxFacetLen || !utf8.ValidString(got) {
		t.Errorf("cut to %d bytes, valid %v", len(got), utf8.ValidString(got))
	}
}

func TestNumbersPrintAsTheServerPrintsThem(t *testing.T) {
	for in, want := range map[string]string{
		"1": "1", "-0": "-0.0", "1.0": "1.0", "1e2": "100.0", "1e21": "1e+21", "1e-7": "1e-7", "0.00001": "0.00001",
		"1e15": "1000000000000000.0", "1e16": "1e+16", "18446744073709551615": "18446744073709551615",
		"18446744073709551616": "1.8446744073709552e+19", "-9223372036854775808": "-9223372036854775808",
	} {
		v, err := parseJSON([]byte(in))
		if err != nil || text(&v) != want {
			t.Errorf("%s: got %s, %v, want %s", in, text(&v), err, want)
		}
	}
}

func TestBadJSONIsRefused(t *testing.T) {
	for _, in := range []string{
		"", "{", `{"a"}`, `{"a":}`, "[1,]", "01", "1.", "1e", "-", "nul", `"\x"`, `"\u12"`, "\"\x01\"", "1e999",
		strings.Repeat("[", 200) + strings.Repeat("]", 200), "{} {}",
	} {
		if v, err := parseJSON([]byte(in)); err == nil {
			t.Errorf("%.30q read as %s", in, text(&v))
		}
	}
	v, err := parseJSON([]byte(`{"a":1,"b":"\ud83d\ude00\ud800x","a":[null,true]}`))
	if want := `{"a":[null,true],"b":"😀` + "\ufffd" + `x"}`; err != nil || text(&v) != want {
		t.Errorf("got %s, %v", text(&v), err)
	}
}

func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5,"x",null,true]}`, `"\ud83d\ude00"`, `-1e-300`, `[[[[]]]]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := parseJSON(b)
		if err != nil {
			return
		}
		out := text(&v)
		again, err := parseJSON([]byte(out))
		if err != nil || text(&again) != out {
			t.Fatalf("%q became %q, then %v", b, out, err)
		}
	})
}

func FuzzTokenize(f *testing.F) {
	for _, s := range []string{"Star Wars: a.b, c", "北京タワー", "été Œ ال الش", "\u0301\u0301", "a\x00b"} {
		f.Add(s)
	}
	s := DefaultSettings()
	s.StopWords, s.Dictionary, s.SeparatorTokens = []string{"a"}, []string{"a.b"}, []string{"||"}
	tok := newTokenizer(&s)
	f.Fuzz(func(t *testing.T, text string) {
		var buf []byte
		at := 0
		tok.each(text, &buf, func(k *token) bool {
			if k.start != at || k.end <= k.start {
				t.Fatalf("%q: token %d-%d after %d", text, k.start, k.end, at)
			}
			at = k.end
			return true
		})
		if at != len(text) {
			t.Fatalf("%q: stopped at %d of %d", text, at, len(text))
		}
	})
}

func TestWordsEndWhereTheWritingSystemChanges(t *testing.T) {
	tok := newTokenizer(&Settings{})
	for text, want := range map[string]string{
		"abc5 дом":       "abc5 дом",
		"abc 5дом":       "abc 5 дом",
		"5дом":           "5дом",
		"дом abc":        "дом abc",
		"домabc":         "дом abc",
		"Ἀθῆναι":         "αθηναι",
		"abc Ἀθῆναι":     "abc α θηναι",
		"нет \"Ἀθῆναι\"": "нет α\u0313 θηναι",
	} {
		if got := strings.Join(tok.words(text), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
