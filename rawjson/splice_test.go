package rawjson

import (
	"strings"
	"testing"
)

func TestRemove(t *testing.T) {
	drop := func(key []byte) bool { return KeyHasPrefix(key, "_m") }
	tests := []struct{ name, obj, want string }{
		{"the first member", `{"_m":1,"a":2}`, `{"a":2}`},
		{"the last member", `{"a":2,"_m":1}`, `{"a":2}`},
		{"a middle member", `{"a":1,"_m":[1,"}"],"b":2}`, `{"a":1,"b":2}`},
		{"the only member", `{"_m":1}`, `{}`},
		{"all of several", `{"_m":1,"_m1":2,"_m2":3}`, `{}`},
		{"the first two", `{"_m":1,"_m1":2,"a":3,"b":4}`, `{"a":3,"b":4}`},
		{"the last two", `{"a":1,"b":2,"_m":3,"_m2":4}`, `{"a":1,"b":2}`},
		{"every other one", `{"_m":1,"a":2,"_m2":3,"b":4,"_m3":5}`, `{"a":2,"b":4}`},
		{"one that is written with an escape", `{"a":1,"\u005fm":2}`, `{"a":1}`},
		{"members with white space around", "{ \"_m\" : 1 ,\n \"a\" : 2 , \"_m\" : 3 }", `{ "a" : 2 }`},
		{"nothing", `{"a":1, "b":2}`, `{"a":1, "b":2}`},
		{"nothing from an empty object", `{ }`, `{ }`},
		{"nothing from inner objects", `{"a":{"_m":1}}`, `{"a":{"_m":1}}`},
		{"nothing from text that is not an object", `[{"_m":1}]`, `[{"_m":1}]`},
		{"nothing from half an object", `{"_m":1,"a":2`, `{"_m":1,"a":2`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(Remove(nil, []byte(tt.obj), drop)); got != tt.want {
				t.Errorf("onto nothing: got %s, want %s", got, tt.want)
			}
			if got := string(Remove([]byte("x="), []byte(tt.obj), drop)); got != "x="+tt.want {
				t.Errorf("onto text: got %s, want x=%s", got, tt.want)
			}
		})
	}
}

func TestAppendingToWhatRemoveReturnsLeavesTheInputAlone(t *testing.T) {
	data := []byte(`{"a":1},tail`)
	out := Remove(nil, data[:7], func([]byte) bool { return false })
	_ = append(out, "XXXX"...)
	if string(data) != `{"a":1},tail` {
		t.Errorf("input became %s", data)
	}
}

func TestAppendMembers(t *testing.T) {
	for obj, want := range map[string]string{
		`{}`:             `{"k":1,"l":2}`,
		`{ }`:            `{ "k":1,"l":2}`,
		`{"a":1}`:        `{"a":1,"k":1,"l":2}`,
		"{\"a\":1\n} \n": "{\"a\":1\n,\"k\":1,\"l\":2} \n",
		`[1]`:            `[1]`,
		`}`:              `}`,
		``:               ``,
	} {
		if got := string(AppendMembers([]byte("-"), []byte(obj), []byte(`"k":1,"l":2`))); got != "-"+want {
			t.Errorf("AppendMembers(%q) = %q", obj, got)
		}
	}
	if got := string(AppendMembers(nil, []byte(`{"a":1}`), nil)); got != `{"a":1}` {
		t.Errorf("no members changed the object to %s", got)
	}
}

func TestSet(t *testing.T) {
	tests := []struct{ name, obj, want string }{
		{"replaces", `{"a":1,"k" : [1,2] ,"b":2}`, `{"a":1,"k" : "v" ,"b":2}`},
		{"replaces the last duplicate", `{"k":1,"k":2}`, `{"k":1,"k":"v"}`},
		{"adds", `{"a":1}`, `{"a":1,"k":"v"}`},
		{"adds to an empty object", `{ }`, `{ "k":"v"}`},
		{"leaves other text alone", `7`, `7`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(Set(nil, []byte(tt.obj), "k", []byte(`"v"`))); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestHotFunctionsDoNotAllocate(t *testing.T) {
	data := sample(20)
	doc := data[1 : len(data)/20]
	if end, _ := SkipValue(data, 1); end > 0 {
		doc = data[1:end]
	}
	dst := make([]byte, 0, 2*len(data))
	text := strings.Repeat("text and ü ", 10)
	for name, fn := range map[string]func(){
		"Validate":      func() { _ = Validate(data) },
		"SkipValue":     func() { _, _ = SkipValue(data, 0) },
		"EachElement":   func() { _ = EachElement(data, func(v []byte) bool { return len(v) > 0 }) },
		"EachMember":    func() { _ = EachMember(doc, func(k, _ []byte) bool { return len(k) > 0 }) },
		"Get":           func() { _, _ = Get(doc, "rating") },
		"KeyEquals":     func() { KeyEquals([]byte(`\u005fmiroir_shard`), "_miroir_shard") },
		"HasPrefixKey":  func() { HasPrefixKey(doc, "_miroir_") },
		"Remove":        func() { Remove(dst, doc, func(k []byte) bool { return KeyEquals(k, "rating") }) },
		"Remove nil":    func() { Remove(nil, doc, func(k []byte) bool { return KeyEquals(k, "none") }) },
		"AppendMembers": func() { AppendMembers(dst, doc, []byte(`"a":1`)) },
		"Set":           func() { Set(dst, doc, "rating", []byte("1")) },
		"AppendString":  func() { AppendString(dst, text) },
		"ParseInt":      func() { ParseInt([]byte("-1234567890")) },
		"ParseFloat":    func() { ParseFloat([]byte("0.9848484848484849")) },
	} {
		if n := testing.AllocsPerRun(20, fn); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
