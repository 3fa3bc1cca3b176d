package tokenize

import (
	"encoding/binary"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"
)

// charsmap is SentencePiece's compiled table of replacements: the length of a
// double-array trie (as in Darts) as four bytes, the trie, and the
// replacements, each ended by a zero byte. A leaf's value is where its
// replacement begins.
type charsmap struct {
	units []uint32
	texts string
}

func newCharsmap(b []byte) (*charsmap, error) {
	if len(b) < 4 {
		return nil, errors.New("the table of characters of tokenizer.json is cut off")
	}
	n := binary.LittleEndian.Uint32(b)
	if b = b[4:]; uint64(n) > uint64(len(b)) || n%4 != 0 {
		return nil, errors.New("the table of characters of tokenizer.json is cut off")
	}
	m := &charsmap{units: make([]uint32, n/4), texts: string(b[n:])}
	for i := range m.units {
		m.units[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return m, nil
}

// replacement is what stands for the shortest beginning of s that the table
// knows. The rest of s goes with it: that is what the reference does.
func (m *charsmap) replacement(s string) (string, bool) {
	at := uint32(0)
	if len(m.units) == 0 {
		return "", false
	}
	at ^= offset(m.units[0])
	for i := 0; i < len(s) && s[i] != 0; i++ {
		at ^= uint32(s[i])
		if int(at) >= len(m.units) {
			return "", false
		}
		u := m.units[at]
		if u&(1<<31|0xff) != uint32(s[i]) {
			return "", false
		}
		at ^= offset(u)
		if u>>8&1 == 0 {
			continue
		}
		if int(at) >= len(m.units) {
			return "", false
		}
		from := int(m.units[at] & (1<<31 - 1))
		if from > len(m.texts) {
			return "", false
		}
		to := strings.IndexByte(m.texts[from:], 0)
		if to < 0 {
			return "", false
		}
		return m.texts[from : from+to], true
	}
	return "", false
}

func offset(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }

// shortCluster is below how many bytes a cluster is looked up whole.
const shortCluster = 6

// apply appends the normalised text to dst.
func (m *charsmap) apply(dst []byte, text string) []byte {
	for len(text) > 0 {
		cluster := text[:clusterLen(text)]
		text = text[len(cluster):]
		if len(cluster) < shortCluster {
			if r, ok := m.replacement(cluster); ok {
				dst = append(dst, r...)
				continue
			}
		}
		for len(cluster) > 0 {
			_, n := utf8.DecodeRuneInString(cluster)
			if r, ok := m.replacement(cluster[:n]); ok {
				dst = append(dst, r...)
			} else {
				dst = append(dst, cluster[:n]...)
			}
			cluster = cluster[n:]
		}
	}
	return dst
}

// clusterLen is the length of what people take for one character at the
// beginning of text (Unicode's extended grapheme cluster), as far as clusters
// below 6 bytes go: a letter with its marks, and CR LF.
func clusterLen(text string) int {
	if text[0] < utf8.RuneSelf && (len(text) == 1 || text[1] < utf8.RuneSelf) {
		if strings.HasPrefix(text, "\r\n") {
			return 2
		}
		return 1
	}
	r, n := utf8.DecodeRuneInString(text)
	if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Cf, r) && !extends(r) {
		return n
	}
	for n < len(text) {
		r, m := utf8.DecodeRuneInString(text[n:])
		if !extends(r) {
			break
		}
		n += m
	}
	return n
}

// extends reports what belongs to the character before it.
func extends(r rune) bool {
	return r >= 0x300 && (unicode.Is(unicode.M, r) || r == '\u200c' || r == '\u200d' || r == '\uff9e' || r == '\uff9f')
}
