package merge

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func pageOf(total string, docs ...string) []byte {
	return []byte(`{"results":[` + strings.Join(docs, ",") + `],"offset":0,"limit":20,"total":` + total + `}`)
}

func TestDocuments(t *testing.T) {
	d := func(seq, rest string) string {
		return `{"_miroir_seq":"` + seq + `",` + rest + `,"_miroir_shard":";"}`
	}
	tests := []struct {
		name string
		spec DocumentsSpec
		legs [][]byte
		want string
	}{
		{"in insertion order, totals added", DocumentsSpec{Limit: 20},
			[][]byte{pageOf("2", d("1", `"a":1`), d("3", `"a":3`)), pageOf("10", d("2", `"a":2`))},
			`{"results":[{"a":1},{"a":2},{"a":3}],"offset":0,"limit":20,"total":12}`},
		{"a node that reused places is put in order", DocumentsSpec{Limit: 2, Offset: 1},
			[][]byte{pageOf("2", d("4", `"a":4`), d("1", `"a":1`)), pageOf("1", d("2", `"a":2`))},
			`{"results":[{"a":2},{"a":4}],"offset":1,"limit":2,"total":3}`},
		{"a huge offset", DocumentsSpec{Limit: maxInt, Offset: maxInt}, [][]byte{pageOf("1", d("1", `"a":1`))},
			`{"results":[],"offset":9223372036854775807,"limit":9223372036854775807,"total":1}`},
		{"limit 0", DocumentsSpec{}, [][]byte{pageOf("7")}, `{"results":[],"offset":0,"limit":0,"total":7}`},
		{"no legs", DocumentsSpec{Limit: 1}, nil, `{"results":[],"offset":0,"limit":1,"total":0}`},
		{"members named like a search's are a document's own", DocumentsSpec{Limit: 5, Strip: []string{"x"}},
			[][]byte{pageOf("1", d("2", `"_rankingScore":1,"_rankingScoreDetails":{"words":3},"x":1,"_formatted":{"_miroir_a":1}`)), pageOf("1", d("1", `"_rankingScoreDetails":7`))},
			`{"results":[{"_rankingScoreDetails":7},{"_rankingScore":1,"_rankingScoreDetails":{"words":3},"_formatted":{"_miroir_a":1}}],"offset":0,"limit":5,"total":2}`},
		{"ascending: the smallest value, numbers before strings, missing last", DocumentsSpec{Limit: 9, Sort: []SortField{{Field: "p"}}},
			[][]byte{pageOf("3", d("1", `"p":[2,9]`), d("2", `"p":"B "`), d("3", `"p":[]`)), pageOf("4", d("4", `"p":["a",8]`), d("5", `"p":"á"`), d("6", `"q":1`), d("7", `"p":""`))},
			`{"results":[{"p":[2,9]},{"p":["a",8]},{"p":"á"},{"p":"B "},{"p":[]},{"q":1},{"p":""}],"offset":0,"limit":9,"total":7}`},
		{"descending: the largest value, missing still last", DocumentsSpec{Limit: 9, Sort: []SortField{{Field: "a.b", Desc: true}}},
			[][]byte{pageOf("2", d("1", `"a":{"b":9}`), d("2", `"a":[{"b":true}]`), d("3", `"a":null`)), pageOf("2", d("4", `"a.b":[1,10]`), d("5", `"a":{"b":false}`))},
			`{"results":[{"a.b":[1,10]},{"a":{"b":9}},{"a":[{"b":true}]},{"a":{"b":false}},{"a":null}],"offset":0,"limit":9,"total":4}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 {
				out, err := Documents(nil, &tt.spec, tt.legs)
				if err != nil || string(out) != tt.want {
					t.Errorf("%v\n got %s\nwant %s", err, out, tt.want)
				}
				for i, j := 0, len(tt.legs)-1; i < j; i, j = i+1, j-1 {
					tt.legs[i], tt.legs[j] = tt.legs[j], tt.legs[i]
				}
			}
		})
	}
	_, err := Documents(nil, &DocumentsSpec{Limit: 1}, [][]byte{pageOf("0"), []byte(`{"hits":[]}`)})
	if le := (*LegError)(nil); !errors.As(err, &le) || le.Leg != 1 {
		t.Errorf("a leg of another kind: %v", err)
	}
}

func TestStripDocument(t *testing.T) {
	got := string(StripDocument([]byte("x"), []byte(`{"_miroir_seq":"1","a":{"_miroir_b":1},"\u005fmiroir_shard":"2","b":1}`), "b"))
	if want := `x{"a":{"_miroir_b":1}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestStripDocuments(t *testing.T) {
	for body, want := range map[string]string{
		`{"results":[{"_miroir_seq":"a","id":1,"_miroir_shard":"!"},{"id":2,"results":[{"_miroir_x":1}]}],"offset":7,"limit":2,"total":9}`: `{"results":[{"id":1},{"id":2,"results":[{"_miroir_x":1}]}],"offset":7,"limit":2,"total":9}`,
		`{"offset":0,"results":[ {"_miroir_seq":"a"} ] , "total":1}`:                                                                       `{"offset":0,"results":[ {} ] , "total":1}`,
		`{"results":[],"offset":0,"limit":0,"total":0}`:                                                                                    `{"results":[],"offset":0,"limit":0,"total":0}`,
	} {
		got, err := StripDocuments(nil, []byte(body))
		if err != nil || string(got) != want {
			t.Errorf("%s\nbecame %s, %v\nwant   %s", body, got, err, want)
		}
	}
	for _, body := range []string{``, `{`, `[]`, `{"results":1}`, `{"results":[1]}`, `{"results":[{"id":1}`, `{"hits":[]}`} {
		if got, err := StripDocuments([]byte("x"), []byte(body)); err == nil || string(got) != "x" {
			t.Errorf("%s became %s, %v", body, got, err)
		}
	}
}

// A node lists a document twice that has numbers and strings in the field it is sorted by.
func TestDocumentsWithNumbersAndStrings(t *testing.T) {
	doc := func(id int, v string) string { return fmt.Sprintf(`{"_miroir_seq":"%02d","id":%d,"v":%s}`, id, id, v) }
	one, three, six, two, four := doc(1, `[1,5,"a"]`), doc(3, `["b",2]`), doc(6, `[9,"z"]`), doc(2, "3"), doc(4, `"a"`)
	page := func(docs ...string) []byte {
		return fmt.Appendf(nil, `{"results":[%s],"offset":0,"limit":20,"total":%d}`, strings.Join(docs, ","), len(docs))
	}
	legs := [][]byte{page(one, six, one, six), page(three, two, four, three)}
	got, err := Documents(nil, &DocumentsSpec{Limit: 20, Sort: []SortField{{Field: "v"}}, Strip: []string{"v"}}, legs)
	want := `{"results":[{"id":1},{"id":3},{"id":2},{"id":6},{"id":1},{"id":4},{"id":3},{"id":6}],"offset":0,"limit":20,"total":8}`
	if err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}
