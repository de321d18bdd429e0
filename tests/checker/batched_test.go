package checker

import "testing"

func TestADeletionMayBeEmptiedInOneBatch(t *testing.T) {
	call := func(uid int64, kind, index, status string) carried {
		return carried{&Task{UID: uid, Status: status}, &Write{Call: &Call{Kind: kind, Index: index}}}
	}
	bad := call(1, kindDeleteFilter, "films", "succeeded")
	one := &Task{Status: "failed"}
	one.Error = &struct {
		Message string `json:"message"`
		Code    string `json:"code"`
		Type    string `json:"type"`
	}{Code: "invalid_document_filter"}
	for name, c := range map[string]struct {
		behind []carried
		may    bool
	}{
		"a clear":                   {[]carried{call(2, kindAdd, "films", "succeeded"), call(3, kindClear, "films", "succeeded")}, true},
		"a deletion of the index":   {[]carried{call(2, kindDrop, "films", "succeeded")}, true},
		"a clear of another index":  {[]carried{call(2, kindClear, "books", "succeeded")}, false},
		"a swap and then a clear":   {[]carried{call(2, kindSwap, "", "succeeded"), call(3, kindClear, "films", "succeeded")}, false},
		"nothing":                   {nil, false},
		"a clear that came earlier": {[]carried{call(0, kindClear, "films", "succeeded")}, false},
	} {
		if got := (disagreement{bad, one}).emptiedInOneBatch(append([]carried{bad}, c.behind...)); got != c.may {
			t.Errorf("%s: %v", name, got)
		}
	}
}
