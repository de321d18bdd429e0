package actors

import (
	"strings"
	"testing"
)

func rhaiScript(t *testing.T, text string) *editScript {
	t.Helper()
	s, err := newEditScript(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return s
}

func TestAScriptThatReturnsIsWrappedInAClosureWithoutItsFunctions(t *testing.T) {
	for _, c := range []struct {
		text    string
		closure bool
	}{
		{`doc.a = 1`, false}, {`doc.a = "return"`, false}, {"doc.a = `return`", false}, {`// return`, false}, {`/* return /* return */ return */ doc.a = 1`, false},
		{`doc.a = #"return"#`, false}, {`let returned = 1`, false}, {`fn f() { return 1 } doc.a = f()`, false}, {`doc.a = '"'; return`, true}, {"doc.a = `x${if b { return } else { \"}\" }}`", true},
		{"doc.a = `${`}`}`; return", true}, {`if a { return; }`, true}, {`doc.a = "\""; return`, true}, {"doc.a = `a``b`; return", true},
	} {
		if s := rhaiScript(t, c.text); (s.statements != "") != c.closure {
			t.Errorf("%q: in a closure %v, want %v", c.text, s.statements != "", c.closure)
		}
	}
	text := "private fn f(x) {\n  return x; // }\n}\nif f(1) == 1 { return }\nfn g() { `${ #{a: 1} }` } doc.b = 2"
	s := rhaiScript(t, text)
	if strings.Contains(s.statements, "fn") || !strings.Contains(s.statements, "doc.b = 2") || strings.Contains(s.functions, "doc.b") || strings.Count(s.functions, "fn") != 2 {
		t.Errorf("cut into %q and %q", s.statements, s.functions)
	}
	if n := strings.Count(text, "\n"); strings.Count(s.statements, "\n") != n || strings.Count(s.functions, "\n") != n {
		t.Error("lines are not where they were")
	}
}

func TestAScriptMayNotTouchWhatIsOurs(t *testing.T) {
	for _, text := range []string{`doc._miroir_shard = 1`, `doc.remove("_miroir_seq")`, `fn exit() {}`, `fn remove(x) { x }`, `private fn keys() { [] }`,
		`doc.a = eval("_mir" + "oir_s")`, "doc.a = `${eval (doc.text)}`", `fn f(x) { eval(x) } f(doc.text)`} {
		if _, err := newEditScript(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	rhaiScript(t, `doc.evaluation = "eval(1)" // eval`)
	if s := rhaiScript(t, "doc.a = 1 /* open /* twice"); !strings.HasSuffix(s.text, "*/*/") {
		t.Errorf("the comment stays open: %q", s.text)
	}
}

func TestErrorsOfScriptsAreAboutTheClientsText(t *testing.T) {
	plain, returning := rhaiScript(t, "a\nb"), rhaiScript(t, "fn f() {\n}\nreturn")
	for _, c := range []struct {
		s         *editScript
		got, want string
	}{
		{plain, `{"message":"x (line 2, position 5)"}`, `{"message":"x (line 1, position 5)"}`},
		{plain, `x (line 3, position 1) and (line 2, position 2)`, `x (line 2, position 1) and (line 1, position 2)`},
		{returning, `x (line 4, position 7)\nin closure call (line 5, position 13)`, `x (line 3, position 7)`},
		{returning, `x (line 7, position 2)\nin call to function 'f' (line 4, position 1)`, `x (line 2, position 2)\nin call to function 'f' (line 3, position 1)`},
		{plain, "`{\\\"_miroir_seq\\\":\\\"!!:\\\",\\\"_miroir_shard\\\":\\\"!\\\",\\\"n\\\":5}`", "`{\\\"n\\\":5}`"},
		{plain, "`{\\\"A\\\":1,\\\"_miroir_seq\\\":\\\"!\\\"}`", "`{\\\"A\\\":1}`"},
		{plain, "`{\\\"A\\\":1,\\\"_miroir_seq\\\":\\\"!\\\",\\\"b\\\":2}`", "`{\\\"A\\\":1,\\\"b\\\":2}`"},
		{plain, "`{\\\"_miroir_seq\\\":\\\"!\\\"}`", "`{}`"},
	} {
		if got := string(c.s.unwrapError([]byte(c.got))); got != c.want {
			t.Errorf("%s\n became %s,\n want %s", c.got, got, c.want)
		}
	}
}

func TestPrimaryKeysLieAtEverySplitOfTheirName(t *testing.T) {
	for pk, want := range map[string]string{"": "", "id": "id", "a.b": "a.b | a>b", "a.b.c": "a.b.c | a>b.c | a>b>c | a.b>c"} {
		var got []string
		for _, path := range splits(pk) {
			got = append(got, strings.Join(path, ">"))
		}
		if strings.Join(got, " | ") != want {
			t.Errorf("%s: %v, want %s", pk, got, want)
		}
	}
	if got := rhaiString("a\"\\\n\u00e9"); got != `"a\u0022\u005C\u000Aé"` {
		t.Errorf("quoted as %s", got)
	}
}

func TestSizesAreReadAsNodesWriteThem(t *testing.T) {
	for text, want := range map[string]int64{"12 B": 12, "1.5 KiB": 1536, "2 MB": 2_000_000, "1 GiB": 1 << 30} {
		if n, err := parseSize(text); err != nil || n != want {
			t.Errorf("%s is %d, %v, want %d", text, n, err, want)
		}
	}
	for _, text := range []string{"", "x", "1", "1 parsec"} {
		if n, err := parseSize(text); err == nil {
			t.Errorf("%q is %d", text, n)
		}
	}
}
