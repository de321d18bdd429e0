package rawjson

import "bytes"

// EachMember calls fn for every member of the object obj, in order, duplicates included, until fn returns false. key is
// the raw text between the quotes (see KeyEquals, Unquote); value is the value's text without surrounding white space.
// Both are parts of obj. The error is ErrStructure, possibly after some calls of fn. Lax; does not allocate.
func EachMember(obj []byte, fn func(key, value []byte) bool) error {
	var m Members
	for m.Init(obj); m.Next(); {
		if !fn(m.Key, m.Value) {
			return nil
		}
	}
	return m.Err
}

// Members walks over an object without a callback:
//
//	for m.Init(obj); m.Next(); {
//		... m.Key, m.Value ...
//	}
//	... m.Err ...
//
// Lax; does not allocate.
type Members struct {
	Key   []byte // raw text between the quotes of the current key
	Value []byte // text of the current value
	Err   error  // ErrStructure once the walk has met text that is not an object; nil otherwise

	obj      []byte
	i        int // where to go on: behind the opening brace or the last value
	keyAt    int // index of the current key's opening quote
	valueAt  int
	started  bool
	finished bool
}

// Init makes m start at the beginning of obj.
func (m *Members) Init(obj []byte) { *m = Members{obj: obj} }

// Next moves to the next member; false at the end or on an error.
func (m *Members) Next() bool {
	if m.finished {
		return false
	}
	data := m.obj
	i := SkipSpace(data, m.i)
	if uint(i) >= uint(len(data)) {
		return m.fail()
	}
	switch {
	case !m.started:
		if data[i] != '{' {
			return m.fail()
		}
		m.started = true
		i = SkipSpace(data, i+1)
		if uint(i) < uint(len(data)) && data[i] == '}' {
			return m.finish(i + 1)
		}
	case data[i] == ',':
		i = SkipSpace(data, i+1)
	case data[i] == '}':
		return m.finish(i + 1)
	default:
		return m.fail()
	}
	if uint(i) >= uint(len(data)) || data[i] != '"' {
		return m.fail()
	}
	end := SkipString(data, i)
	if end < 0 {
		return m.fail()
	}
	m.keyAt = i
	m.Key = data[i+1 : end-1]
	if uint(end) >= uint(len(data)) || data[end] != ':' {
		end = SkipSpace(data, end)
		if uint(end) >= uint(len(data)) || data[end] != ':' {
			return m.fail()
		}
	}
	m.valueAt = SkipSpace(data, end+1)
	end, err := SkipValue(data, m.valueAt)
	if err != nil {
		return m.fail()
	}
	m.Value = data[m.valueAt:end]
	m.i = end
	return true
}

func (m *Members) fail() bool {
	m.Err = ErrStructure
	m.finished = true
	return false
}

func (m *Members) finish(i int) bool {
	m.i = i
	m.finished = true
	return false
}

// EachElement calls fn for every element of the array arr, in order, until fn returns false. The element's text is a
// part of arr. The error is ErrStructure. Lax; does not allocate.
func EachElement(arr []byte, fn func(v []byte) bool) error {
	i := SkipSpace(arr, 0)
	if uint(i) >= uint(len(arr)) || arr[i] != '[' {
		return ErrStructure
	}
	i = SkipSpace(arr, i+1)
	if uint(i) < uint(len(arr)) && arr[i] == ']' {
		return nil
	}
	for {
		i = SkipSpace(arr, i)
		end, err := SkipValue(arr, i)
		if err != nil {
			return err
		}
		if !fn(arr[i:end]) {
			return nil
		}
		i = SkipSpace(arr, end)
		if uint(i) >= uint(len(arr)) {
			return ErrStructure
		}
		switch arr[i] {
		case ',':
			i++
		case ']':
			return nil
		default:
			return ErrStructure
		}
	}
}

// Get returns the text of obj's top-level member called name. Of duplicates the last one counts, as in serde maps.
// false when there is none or obj is not an object. Lax; does not allocate.
func Get(obj []byte, name string) (value []byte, ok bool) {
	var m Members
	for m.Init(obj); m.Next(); {
		if KeyEquals(m.Key, name) {
			value, ok = m.Value, true
		}
	}
	if m.Err != nil {
		return nil, false
	}
	return value, ok
}

// KeyEquals reports whether the raw key (the text between the quotes) stands for name. Escapes are understood, so
// `_miroir_shard` equals "_miroir_shard". It does not allocate.
func KeyEquals(rawKey []byte, name string) bool {
	if len(rawKey) <= len(name) { // an escape is always longer than what it stands for
		return string(rawKey) == name && bytes.IndexByte(rawKey, '\\') < 0
	}
	if bytes.IndexByte(rawKey, '\\') < 0 {
		return false
	}
	n, ok := matchEscaped(rawKey, name)
	return ok && n == len(rawKey)
}

// KeyHasPrefix reports whether the name that the raw key stands for begins with prefix. It does not allocate.
func KeyHasPrefix(rawKey []byte, prefix string) bool {
	_, ok := matchEscaped(rawKey, prefix)
	return ok
}

// HasPrefixKey reports whether obj has a top-level member whose name begins with prefix. Lax; does not allocate.
func HasPrefixKey(obj []byte, prefix string) bool {
	var m Members
	for m.Init(obj); m.Next(); {
		if KeyHasPrefix(m.Key, prefix) {
			return true
		}
	}
	return false
}

// matchEscaped reports whether raw, with its escapes resolved, begins with want, and how much of raw that takes.
func matchEscaped(raw []byte, want string) (n int, ok bool) {
	i := 0
	for len(want) > 0 {
		if uint(i) >= uint(len(raw)) {
			return 0, false
		}
		if raw[i] != '\\' {
			if raw[i] != want[0] {
				return 0, false
			}
			i++
			want = want[1:]
			continue
		}
		var buf [4]byte
		piece, next := appendEscape(buf[:0], raw, i)
		if next < 0 || len(piece) > len(want) || want[:len(piece)] != string(piece) {
			return 0, false
		}
		i = next
		want = want[len(piece):]
	}
	return i, true
}
