package merge

import "github.com/miroir-search/miroir/rawjson"

// walker steps from member to member of an object like rawjson.Members, but stops before each value, so that a
// value which is read anyway is not first skipped over. All positions are in data.
type walker struct {
	data       []byte
	i          int // where the object begins, then where the walk goes on
	key0, key1 int // the current key, without its quotes
	started    bool
}

// next stands at the next member's value in w.i, which the caller must move behind that value (see skip). It
// returns false at the end of the object, with w.i behind the closing brace.
func (w *walker) next() (bool, error) {
	data := w.data
	i := rawjson.SkipSpace(data, w.i)
	if uint(i) >= uint(len(data)) {
		return false, rawjson.ErrStructure
	}
	switch {
	case !w.started:
		if data[i] != '{' {
			return false, rawjson.ErrStructure
		}
		w.started = true
		i = rawjson.SkipSpace(data, i+1)
		if uint(i) < uint(len(data)) && data[i] == '}' {
			w.i = i + 1
			return false, nil
		}
	case data[i] == '}':
		w.i = i + 1
		return false, nil
	case data[i] == ',':
		i = rawjson.SkipSpace(data, i+1)
	default:
		return false, rawjson.ErrStructure
	}
	if uint(i) >= uint(len(data)) || data[i] != '"' {
		return false, rawjson.ErrStructure
	}
	end := rawjson.SkipString(data, i)
	if end < 0 {
		return false, rawjson.ErrStructure
	}
	w.key0, w.key1 = i+1, end-1
	if uint(end) >= uint(len(data)) || data[end] != ':' {
		if end = rawjson.SkipSpace(data, end); end >= len(data) || data[end] != ':' {
			return false, rawjson.ErrStructure
		}
	}
	if w.i = rawjson.SkipSpace(data, end+1); w.i >= len(data) {
		return false, rawjson.ErrStructure
	}
	return true, nil
}

// key returns the current key's raw text.
func (w *walker) key() []byte { return w.data[w.key0:w.key1] }

// skip steps over the current value and returns it.
func (w *walker) skip() ([]byte, error) {
	end, err := rawjson.SkipValue(w.data, w.i)
	if err != nil {
		return nil, err
	}
	value := w.data[w.i:end]
	w.i = end
	return value, nil
}
