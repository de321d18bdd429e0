package tests

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTheComparisonSeesEveryDifference(t *testing.T) {
	for name, tc := range map[string]struct {
		got, want string
		found     int
	}{
		"equal but for the order of members":   {`{"a":1,"b":[1,2]}`, `{"b":[1,2],"a":1}`, 0},
		"another number text":                  {`{"a":1.0}`, `{"a":1}`, 1},
		"a member too many":                    {`{"a":1,"b":null}`, `{"a":1}`, 1},
		"a member too few":                     {`{}`, `{"a":null}`, 1},
		"another order of a list":              {`[1,2]`, `[2,1]`, 2},
		"a longer list":                        {`[1,2]`, `[1]`, 1},
		"a list for an object":                 {`[]`, `{}`, 1},
		"a string for a number":                {`{"a":"1"}`, `{"a":1}`, 1},
		"times and request ids may differ":     {`{"processingTimeMs":1,"requestUid":"a"}`, `{"processingTimeMs":2,"requestUid":"b"}`, 0},
		"a field of a hit named like our time": {`{"hits":[{"processingTimeMs":1}]}`, `{"hits":[{"processingTimeMs":2}]}`, 1},
		"a broken answer":                      {`{`, `{}`, 1},
	} {
		if found := compare([]byte(tc.got), []byte(tc.want), nil, loosened(`{}`)...); len(found) != tc.found {
			t.Errorf("%s: %v", name, slices.Clone(found))
		}
	}
}

func TestEveryLooseningIsWrittenDown(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "docs", "equivalence.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range loosenings {
		if !strings.Contains(string(text), "`"+l.name+"`") {
			t.Errorf("docs/equivalence.md does not name %s", l.name)
		}
	}
}
