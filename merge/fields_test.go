package merge

import (
	"fmt"
	"strings"
	"testing"
)

func TestFields(t *testing.T) {
	row := func(name string, displayed bool) string {
		return fmt.Sprintf(`{"name":"%s","displayed":{"enabled":%v},"sortable":{"enabled":%v}}`, name, displayed, name == "b.c")
	}
	page := func(rows ...string) []byte {
		return fmt.Appendf(nil, `{"results":[%s],"offset":0,"limit":9,"total":9}`, strings.Join(rows, ","))
	}
	legs := [][]byte{page(row("_miroir_seq", true), row("a", true), row("b.c", true)), page(row("_miroir_shard", true), row("a", true), row(`\u00e9`, true), row("b", true))}
	a, b, bc, e := row("a", true), row("b", true), row("b.c", true), row(`\u00e9`, true)
	for name, c := range map[string]struct {
		spec FieldsSpec
		want []string
		tail string
	}{
		"all":              {FieldsSpec{Limit: 20}, []string{a, b, bc, e}, `"offset":0,"limit":20,"total":4}`},
		"a page":           {FieldsSpec{Offset: 1, Limit: 2}, []string{b, bc}, `"offset":1,"limit":2,"total":4}`},
		"beyond the end":   {FieldsSpec{Offset: 9, Limit: 2}, nil, `"offset":9,"limit":2,"total":4}`},
		"patterns":         {FieldsSpec{Limit: 20, Patterns: []string{"b", "*é*"}}, []string{b, e}, `"offset":0,"limit":20,"total":2}`},
		"a prefix":         {FieldsSpec{Limit: 20, Patterns: []string{"b*"}}, []string{b, bc}, `"offset":0,"limit":20,"total":2}`},
		"a suffix":         {FieldsSpec{Limit: 20, Patterns: []string{"*c"}}, []string{bc}, `"offset":0,"limit":20,"total":1}`},
		"no patterns":      {FieldsSpec{Limit: 20, Patterns: []string{}}, nil, `"offset":0,"limit":20,"total":0}`},
		"sortable":         {FieldsSpec{Limit: 20, Enabled: []FieldFlag{{"sortable", true}}}, []string{bc}, `"offset":0,"limit":20,"total":1}`},
		"hidden by client": {FieldsSpec{Limit: 20, Displayed: []string{"b"}, Enabled: []FieldFlag{{"displayed", false}}}, []string{row("a", false), row(`\u00e9`, false)}, `"offset":0,"limit":20,"total":2}`},
	} {
		got, err := Fields([]byte("!"), &c.spec, legs)
		if want := `!{"results":[` + strings.Join(c.want, ",") + `],` + c.tail; err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, want)
		}
	}
	for _, body := range []string{`{`, `[]`, `{"results":1}`, `{"results":[1]}`, `{"results":[{}]}`, `{"results":[{"name":1}]}`} {
		if got, err := Fields([]byte("x"), &FieldsSpec{}, [][]byte{[]byte(body)}); err == nil || string(got) != "x" {
			t.Errorf("%s became %s, %v", body, got, err)
		}
	}
}
