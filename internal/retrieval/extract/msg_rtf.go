package extract

import (
	"encoding/binary"
	"errors"
)

// rtfDictionary is what compressed RTF begins from ([MS-OXRTFCP] 2.1.2.1).
const rtfDictionary = `{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0` +
	"\r\n" + `\par \pard\plain\f0\fs20\b\i\u\tab\tx`

// unpackRTF undoes the compression of RTF in Outlook's messages: at most limit
// bytes, however long it says it is. Of what is cut off it gives what came.
func unpackRTF(b []byte, limit int64) ([]byte, error) {
	const header, compressed, plain = 16, 0x75465A4C, 0x414C454D
	if len(b) < header {
		return nil, broken("Outlook message", errors.New("no header of compressed RTF"))
	}
	kind := binary.LittleEndian.Uint32(b[8:])
	size := min(int64(binary.LittleEndian.Uint32(b[4:])), limit)
	b = b[header:]
	switch kind {
	case plain:
		return b[:min(size, int64(len(b)))], nil
	case compressed:
	default:
		return nil, broken("Outlook message", errors.New("RTF of an unknown compression"))
	}
	var window [4096]byte
	at := copy(window[:], rtfDictionary)
	out := make([]byte, 0, min(size, 16*int64(len(b))))
	put := func(c byte) {
		out = append(out, c)
		window[at%len(window)] = c
		at++
	}
	for i := 0; i < len(b); {
		control := b[i]
		i++
		for bit := 0; bit < 8 && i < len(b); bit++ {
			if control>>bit&1 == 0 {
				put(b[i])
				i++
			} else {
				if i+2 > len(b) {
					return out, nil
				}
				ref := int(binary.BigEndian.Uint16(b[i:]))
				i += 2
				from, length := ref>>4, ref&15+2
				if from == at%len(window) {
					return out, nil // the mark of the end
				}
				for range length {
					put(window[from%len(window)])
					from++
				}
			}
			if int64(len(out)) >= size {
				return out[:size], nil
			}
		}
	}
	return out, nil
}
