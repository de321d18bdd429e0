package rawjson

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
)

func members(t *testing.T, obj string) []string {
	t.Helper()
	var got []string
	if err := EachMember([]byte(obj), func(k, v []byte) bool {
		got = append(got, string(k)+"="+string(v))
		return true
	}); err != nil {
		got = append(got, err.Error())
	}
	return got
}

func TestEachMember(t *testing.T) {
	tests := []struct {
		name, obj string
		want      []string
	}{
		{"an empty object", " { } ", nil},
		{"values of every kind", `{"a":1,"b":"x,}","c":[1,{"d":2}],"e":{"f":"\""},"g":null}`,
			[]string{"a=1", `b="x,}"`, `c=[1,{"d":2}]`, `e={"f":"\""}`, "g=null"}},
		{"white space everywhere", " { \"a\" : 1 ,\n \"b\" :\ttrue } ", []string{"a=1", "b=true"}},
		{"duplicates and escapes", `{"a":1,"\u0061":2}`, []string{"a=1", `\u0061=2`}},
		{"not an object", `[1]`, []string{"malformed json"}},
		{"a comma missing", `{"a":1 "b":2}`, []string{"a=1", "malformed json"}},
		{"a comma too many", `{"a":1,}`, []string{"a=1", "malformed json"}},
		{"a colon missing", `{"a" 1}`, []string{"malformed json"}},
		{"a value missing", `{"a":}`, []string{"malformed json"}},
		{"an end missing", `{"a":1`, []string{"a=1", "malformed json"}},
		{"a long string that does not end", `{"a":"` + strings.Repeat("x", 100), []string{"malformed json"}},
		{"a long string that ends in backslashes", `{"a":"` + strings.Repeat("x", 100) + `\\\"\\","b":1}`,
			[]string{`a="` + strings.Repeat("x", 100) + `\\\"\\"`, "b=1"}},
		{"nothing", ``, []string{"malformed json"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := members(t, tt.obj); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestEachMemberAndEachElementStopWhenTold(t *testing.T) {
	n := 0
	stop := func([]byte) bool { n++; return n < 2 }
	if err := EachElement([]byte(`[1,2,broken`), stop); err != nil || n != 2 {
		t.Errorf("EachElement: %d calls, %v", n, err)
	}
	n = 0
	if err := EachMember([]byte(`{"a":1,"b":2,broken`), func(_, _ []byte) bool { return stop(nil) }); err != nil || n != 2 {
		t.Errorf("EachMember: %d calls, %v", n, err)
	}
}

func TestEachElement(t *testing.T) {
	tests := []struct {
		name, arr string
		want      []string
	}{
		{"an empty array", " [ ] ", nil},
		{"values of every kind", `[1, "a]" ,[2,[3]],{"b":[4]} , null]`, []string{"1", `"a]"`, "[2,[3]]", `{"b":[4]}`, "null"}},
		{"not an array", `{}`, []string{"malformed json"}},
		{"a comma missing", `[1 2]`, []string{"1", "malformed json"}},
		{"a value missing", `[1,]`, []string{"1", "malformed json"}},
		{"an end missing", `[1`, []string{"1", "malformed json"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			if err := EachElement([]byte(tt.arr), func(v []byte) bool { got = append(got, string(v)); return true }); err != nil {
				got = append(got, err.Error())
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestGetTakesTheLastDuplicateAndSeesThroughEscapes(t *testing.T) {
	obj := []byte(`{"a":1,"_miroir_shard":"x","b":2,"a":3,"\u005fmiroir_seq":"y"}`)
	for name, want := range map[string]string{"a": "3", "b": "2", "_miroir_shard": `"x"`, "_miroir_seq": `"y"`, "c": "", `\u005fmiroir_seq`: ""} {
		v, ok := Get(obj, name)
		if string(v) != want || ok != (want != "") {
			t.Errorf("Get(%q) = %q, %v", name, v, ok)
		}
	}
	if _, ok := Get([]byte(`{"a":1`), "a"); ok {
		t.Error("Get found a member in half an object")
	}
}

func TestKeys(t *testing.T) {
	tests := []struct {
		raw, name string
		equal     bool
		prefix    bool
	}{
		{`_miroir_shard`, "_miroir_shard", true, true},
		{`_miroir_shard`, "_miroir_", false, true},
		{`\u005fmiroir_shard`, "_miroir_shard", true, true},
		{`_m\u0069roir_seq`, "_miroir_", false, true},
		{`_miroir`, "_miroir_", false, false},
		{`\u005`, "_", false, false},
		{`a\`, "ab", false, false},
		{`a\"b`, `a"b`, true, true},
		{`\n`, `\n`, false, false},
		{`\u00e9`, "é", true, true},
		{`\ud83d\ude00`, "😀", true, true},
		{``, "", true, true},
		{`x`, "", false, true},
	}
	for _, tt := range tests {
		if got := KeyEquals([]byte(tt.raw), tt.name); got != tt.equal {
			t.Errorf("KeyEquals(%q, %q) = %v", tt.raw, tt.name, got)
		}
		if got := KeyHasPrefix([]byte(tt.raw), tt.name); got != tt.prefix {
			t.Errorf("KeyHasPrefix(%q, %q) = %v", tt.raw, tt.name, got)
		}
	}
	if !HasPrefixKey([]byte(`{"a":{"x":1},"\u005fmiroir_x":1}`), "_miroir_") || HasPrefixKey([]byte(`{"a":{"_miroir_x":1}}`), "_miroir_") {
		t.Error("HasPrefixKey looks at the wrong level")
	}
}

// naive lists an object's members with encoding/json, names decoded, values as written.
func naive(t *testing.T, obj []byte) (names, values []string) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(obj))
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		names = append(names, name.(string))
		values = append(values, string(v))
	}
	if _, err := dec.Token(); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return names, values
}

func FuzzMembersAgainstDecoding(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":[{}],"a":"x"}`, ` { "\u0061" : null , "c":2 } `, `{}`, `{"b":1}`, `{"a":1,"b":2,"c":3}`,
		`{"a":"\\","ab":"\"a\":"}`} {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, obj []byte, mask uint8) {
		i := SkipSpace(obj, 0)
		if Validate(obj) != nil || obj[i] != '{' {
			// Any text at all must be survived.
			_ = EachMember(obj, func(_, _ []byte) bool { return true })
			_ = EachElement(obj, func([]byte) bool { return true })
			Remove(nil, obj, func([]byte) bool { return mask&1 != 0 })
			Set(nil, obj, "a", []byte("1"))
			AppendMembers(nil, obj, []byte(`"a":1`))
			_, _ = AppendUnquoted(nil, obj)
			_, _ = Unquote(obj)
			KeyHasPrefix(obj, "_miroir_")
			return
		}
		names, values := naive(t, obj)
		n := 0
		if err := EachMember(obj, func(k, v []byte) bool {
			if name, err := Unquote(k); err != nil || name != names[n] || string(v) != values[n] || !KeyEquals(k, names[n]) {
				t.Fatalf("member %d of %q: %q = %q, want %q = %q (%v)", n, obj, name, v, names[n], values[n], err)
			}
			n++
			return true
		}); err != nil || n != len(names) {
			t.Fatalf("EachMember(%q): %d of %d, %v", obj, n, len(names), err)
		}
		if len(names) > 0 {
			last := slices.Index(reversed(names), names[0])
			if v, ok := Get(obj, names[0]); !ok || string(v) != reversed(values)[last] {
				t.Fatalf("Get(%q, %q) = %q, %v", obj, names[0], v, ok)
			}
		}
		checkRemove(t, obj, names, values, mask)
		checkAdd(t, obj, names, values)
	})
}

func reversed(s []string) []string {
	s = slices.Clone(s)
	slices.Reverse(s)
	return s
}

func checkRemove(t *testing.T, obj []byte, names, values []string, mask uint8) {
	t.Helper()
	n := 0
	out := Remove([]byte("x"), obj, func([]byte) bool { n++; return mask>>((n-1)%8)&1 != 0 })[1:]
	if err := Validate(out); err != nil {
		t.Fatalf("Remove(%q) = %q: %v", obj, out, err)
	}
	var wantNames, wantValues []string
	for i := range names {
		if mask>>(i%8)&1 == 0 {
			wantNames, wantValues = append(wantNames, names[i]), append(wantValues, values[i])
		}
	}
	if gotNames, gotValues := naive(t, out); !slices.Equal(gotNames, wantNames) || !slices.Equal(gotValues, wantValues) {
		t.Fatalf("Remove(%q, %08b) = %q", obj, mask, out)
	}
}

func checkAdd(t *testing.T, obj []byte, names, values []string) {
	t.Helper()
	out := AppendMembers(nil, obj, []byte(`"new one":[1]`))
	gotNames, gotValues := naive(t, out)
	if Validate(out) != nil || !slices.Equal(gotNames, append(slices.Clone(names), "new one")) ||
		!slices.Equal(gotValues, append(slices.Clone(values), "[1]")) {
		t.Fatalf("AppendMembers(%q) = %q", obj, out)
	}
	out = Set(nil, obj, "a", []byte(`[2]`))
	if v, ok := Get(out, "a"); Validate(out) != nil || !ok || string(v) != "[2]" {
		t.Fatalf("Set(%q) = %q", obj, out)
	}
}
