package tensor

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// Best is the fastest arithmetic that this machine can do.
func Best() *Kernels { return All()[0] }

// All are those that it can do, the fastest first.
func All() []*Kernels {
	all := []*Kernels{Plain()}
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		all = append([]*Kernels{avx2()}, all...)
		if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL {
			all = append([]*Kernels{avx512()}, all...)
		}
	}
	return all
}

func avx512() *Kernels {
	return &Kernels{
		Name: "avx512",
		mr:   12, nr: 32, tile: tile512,
		dr: 4, dc: 4, dk: 16, dot: dot512,
		transpose: func(panel, w *float32, ldw, k int) { transpose(panel, 32, w, ldw, k) },
		gelu:      func(x *float32, n int) { inStepsOf(16, x, n, gelu512, plainGELU) },
		softmax:   softmax512, norm: norm,
		int8: int8Of(cpu.X86.HasAVX512VNNI),
	}
}

func avx2() *Kernels {
	return &Kernels{
		Name: "avx2",
		mr:   6, nr: 16, tile: tile256,
		dr: 2, dc: 4, dk: 8, dot: dot256,
		transpose: func(panel, w *float32, ldw, k int) { transpose(panel, 16, w, ldw, k) },
		gelu:      func(x *float32, n int) { inStepsOf(8, x, n, gelu256, plainGELU) },
		softmax:   softmax256, norm: norm,
		int8: int8Of(false),
	}
}

// int8Of gives the products of 8 bits, with the instruction that is made for
// them or without.
func int8Of(vnni bool) *int8Kernels {
	if vnni {
		return &int8Kernels{mr: 12, nr: 32, zero: 128, tile: tile8vnni, row: rowUnsigned, max: max256, step: 32}
	}
	return &int8Kernels{mr: 4, nr: 16, tile: tile8avx2, row: rowSigned, max: max256, step: 32}
}

// inStepsOf has quick do what is a multiple of step and slow the rest.
func inStepsOf(step int, x *float32, n int, quick, slow func(*float32, int)) {
	whole := n &^ (step - 1)
	if whole > 0 {
		quick(x, whole)
	}
	if whole < n {
		slow((*float32)(unsafe.Add(unsafe.Pointer(x), 4*whole)), n-whole)
	}
}

func norm(x, y, gain, shift *float32, n int, eps float32) {
	if n%8 != 0 {
		plainNorm(x, y, gain, shift, n, eps)
		return
	}
	norm256(x, y, gain, shift, n, eps)
}

func transpose(panel *float32, nr int, w *float32, ldw, k int) {
	for j := 0; j < nr; j += 8 {
		transpose8((*float32)(unsafe.Add(unsafe.Pointer(panel), 4*j)), nr,
			(*float32)(unsafe.Add(unsafe.Pointer(w), 4*j*ldw)), ldw, k)
	}
}

//go:noescape
func tile512(c *float32, ldc int, a *float32, lda int, panel *float32, k int, bias *float32)

//go:noescape
func tile256(c *float32, ldc int, a *float32, lda int, panel *float32, k int, bias *float32)

//go:noescape
func dot512(c *float32, ldc int, a *float32, lda int, w *float32, ldw, k int, bias *float32)

//go:noescape
func dot256(c *float32, ldc int, a *float32, lda int, w *float32, ldw, k int, bias *float32)

//go:noescape
func transpose8(panel *float32, step int, w *float32, ldw, k int)

//go:noescape
func gelu512(x *float32, n int)

//go:noescape
func gelu256(x *float32, n int)

//go:noescape
func softmax512(x *float32, n int, scale float32)

//go:noescape
func softmax256(x *float32, n int, scale float32)

//go:noescape
func norm256(x, y, gain, shift *float32, n int, eps float32)

//go:noescape
func tile8vnni(c *float32, ldc int, a *uint8, lda int, panel *int8, quads int, scales *float32, cols *uint32)

//go:noescape
func tile8avx2(c *float32, ldc int, a *uint8, lda int, panel *int8, quads int, scales *float32, cols *uint32)

//go:noescape
func max256(x *float32, n int) float32

//go:noescape
func rowSigned(dst *uint8, x *float32, n int, by float32)

//go:noescape
func rowUnsigned(dst *uint8, x *float32, n int, by float32)
