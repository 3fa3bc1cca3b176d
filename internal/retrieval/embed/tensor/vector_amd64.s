#include "textflag.h"

// What stands between the products: GELU, softmax, the norm of a layer.

// Numbers are kept once and spread over a register.
#define NUMBER(name, bits) \
	DATA name<>+0(SB)/4, $bits \
	GLOBL name<>(SB), RODATA|NOPTR, $4

NUMBER(one, 0x3f800000)
NUMBER(half, 0x3f000000)

// erf(t) = t·P(t²)/Q(t²) on [-4, 4], fitted to 2e-8 before rounding.
NUMBER(rootHalf, 0x3f3504f3)
NUMBER(four, 0x40800000)
NUMBER(minusFour, 0xc0800000)
NUMBER(erfP0, 0x3f906eb9)
NUMBER(erfP1, 0x3e48f3fd)
NUMBER(erfP2, 0x3d5affa8)
NUMBER(erfP3, 0x3b832e29)
NUMBER(erfP4, 0x39970127)
NUMBER(erfP5, 0x360484e8)
NUMBER(erfQ1, 0x3f01daf4)
NUMBER(erfQ2, 0x3dee89d3)
NUMBER(erfQ3, 0x3c7d07f0)
NUMBER(erfQ4, 0x3a9f6a73)
NUMBER(erfQ5, 0x381d31db)

// exp(x) = 2ⁿ·exp(r), r = x − n·ln 2; the polynomial is that of Cephes.
NUMBER(expMin, 0xc2ae0000)
NUMBER(log2e, 0x3fb8aa3b)
NUMBER(ln2hi, 0x3f318000)
NUMBER(ln2lo, 0xb95e8083)
NUMBER(expP0, 0x39506967)
NUMBER(expP1, 0x3ab743ce)
NUMBER(expP2, 0x3c088908)
NUMBER(expP3, 0x3d2aa9c1)
NUMBER(expP4, 0x3e2aaaaa)
NUMBER(expP5, 0x3f000000)
NUMBER(minusInf, 0xff800000)

// The mask of the first r of 8 lanes is at 32 − 4r.
DATA lanes<>+0(SB)/8, $-1
DATA lanes<>+8(SB)/8, $-1
DATA lanes<>+16(SB)/8, $-1
DATA lanes<>+24(SB)/8, $-1
DATA lanes<>+32(SB)/8, $0
DATA lanes<>+40(SB)/8, $0
DATA lanes<>+48(SB)/8, $0
DATA lanes<>+56(SB)/8, $0
GLOBL lanes<>(SB), RODATA|NOPTR, $64

#define GELU_CONSTANTS(rh, f, mf, h, o, p0, p1, p2, p3, p4, p5) \
	VBROADCASTSS rootHalf<>(SB), rh  \
	VBROADCASTSS four<>(SB), f       \
	VBROADCASTSS minusFour<>(SB), mf \
	VBROADCASTSS half<>(SB), h       \
	VBROADCASTSS one<>(SB), o        \
	VBROADCASTSS erfP0<>(SB), p0     \
	VBROADCASTSS erfP1<>(SB), p1     \
	VBROADCASTSS erfP2<>(SB), p2     \
	VBROADCASTSS erfP3<>(SB), p3     \
	VBROADCASTSS erfP4<>(SB), p4     \
	VBROADCASTSS erfP5<>(SB), p5

// func gelu512(x *float32, n int), n a multiple of 16
TEXT ·gelu512(SB), NOSPLIT, $0-16
	MOVQ x+0(FP), DI
	MOVQ n+8(FP), CX
	GELU_CONSTANTS(Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25, Z26)
	VBROADCASTSS erfQ1<>(SB), Z27
	VBROADCASTSS erfQ2<>(SB), Z28
	VBROADCASTSS erfQ3<>(SB), Z29
	VBROADCASTSS erfQ4<>(SB), Z30
	VBROADCASTSS erfQ5<>(SB), Z31

gelu512loop:
	VMOVUPS (DI), Z0
	VMULPS  Z16, Z0, Z1
	VMINPS  Z17, Z1, Z1
	VMAXPS  Z18, Z1, Z1
	VMULPS  Z19, Z0, Z0 // x/2
	VMULPS  Z1, Z1, Z2  // t²
	VMOVAPS Z26, Z3
	VMOVAPS Z31, Z4
	VFMADD213PS Z25, Z2, Z3
	VFMADD213PS Z30, Z2, Z4
	VFMADD213PS Z24, Z2, Z3
	VFMADD213PS Z29, Z2, Z4
	VFMADD213PS Z23, Z2, Z3
	VFMADD213PS Z28, Z2, Z4
	VFMADD213PS Z22, Z2, Z3
	VFMADD213PS Z27, Z2, Z4
	VFMADD213PS Z21, Z2, Z3
	VFMADD213PS Z20, Z2, Z4
	VMULPS  Z1, Z3, Z3
	VDIVPS  Z4, Z3, Z3  // erf
	VFMADD213PS Z0, Z0, Z3 // x/2 + x/2·erf
	VMOVUPS Z3, (DI)
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ  gelu512loop
	VZEROUPPER
	RET

// func gelu256(x *float32, n int), n a multiple of 8
TEXT ·gelu256(SB), NOSPLIT, $0-16
	MOVQ x+0(FP), DI
	MOVQ n+8(FP), CX
	GELU_CONSTANTS(Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15)

gelu256loop:
	VMOVUPS (DI), Y0
	VMULPS  Y5, Y0, Y1
	VMINPS  Y6, Y1, Y1
	VMAXPS  Y7, Y1, Y1
	VMULPS  Y8, Y0, Y0
	VMULPS  Y1, Y1, Y2
	VMOVAPS Y15, Y3
	VFMADD213PS Y14, Y2, Y3
	VFMADD213PS Y13, Y2, Y3
	VFMADD213PS Y12, Y2, Y3
	VFMADD213PS Y11, Y2, Y3
	VFMADD213PS Y10, Y2, Y3
	VMULPS  Y1, Y3, Y3
	VBROADCASTSS erfQ5<>(SB), Y4
	VBROADCASTSS erfQ4<>(SB), Y1
	VFMADD213PS Y1, Y2, Y4
	VBROADCASTSS erfQ3<>(SB), Y1
	VFMADD213PS Y1, Y2, Y4
	VBROADCASTSS erfQ2<>(SB), Y1
	VFMADD213PS Y1, Y2, Y4
	VBROADCASTSS erfQ1<>(SB), Y1
	VFMADD213PS Y1, Y2, Y4
	VFMADD213PS Y9, Y2, Y4
	VDIVPS  Y4, Y3, Y3
	VFMADD213PS Y0, Y0, Y3
	VMOVUPS Y3, (DI)
	ADDQ $32, DI
	SUBQ $8, CX
	JNZ  gelu256loop
	VZEROUPPER
	RET

// x becomes exp(x); n and p are spent.
#define EXP_REDUCE(x, n, p, lo, l2e, hi2, lo2, p0, p1, p2, p3, p4, p5) \
	VFNMADD231PS hi2, n, x \
	VFNMADD231PS lo2, n, x \
	VMOVAPS     p0, p      \
	VFMADD213PS p1, x, p   \
	VFMADD213PS p2, x, p   \
	VFMADD213PS p3, x, p   \
	VFMADD213PS p4, x, p   \
	VFMADD213PS p5, x, p

#define EXP512(x, n, p, q) \
	VMAXPS      Z16, x, x \
	VMULPS      Z17, x, n \
	VRNDSCALEPS $8, n, n  \
	EXP_REDUCE(x, n, p, Z16, Z17, Z18, Z19, Z20, Z21, Z22, Z23, Z24, Z25) \
	VMULPS      x, x, q     \
	VFMADD213PS x, q, p     \
	VADDPS      Z26, p, p   \
	VSCALEFPS   n, p, x

// func softmax512(x *float32, n int, scale float32)
TEXT ·softmax512(SB), NOSPLIT, $0-20
	MOVQ x+0(FP), DI
	MOVQ n+8(FP), R8
	MOVQ R8, CX
	ANDQ $15, CX
	MOVL $1, AX
	SHLL CX, AX
	DECL AX
	KMOVW AX, K1 // lanes of the tail
	SHRQ $4, R8  // whole registers
	VBROADCASTSS scale+16(FP), Z31
	VBROADCASTSS expMin<>(SB), Z16
	VBROADCASTSS log2e<>(SB), Z17
	VBROADCASTSS ln2hi<>(SB), Z18
	VBROADCASTSS ln2lo<>(SB), Z19
	VBROADCASTSS expP0<>(SB), Z20
	VBROADCASTSS expP1<>(SB), Z21
	VBROADCASTSS expP2<>(SB), Z22
	VBROADCASTSS expP3<>(SB), Z23
	VBROADCASTSS expP4<>(SB), Z24
	VBROADCASTSS expP5<>(SB), Z25
	VBROADCASTSS one<>(SB), Z26
	VBROADCASTSS minusInf<>(SB), Z5

	// The greatest.
	MOVQ  DI, SI
	MOVQ  R8, DX
	TESTQ DX, DX
	JZ    maxtail512
max512:
	VMAXPS (SI), Z5, Z5
	ADDQ   $64, SI
	DECQ   DX
	JNZ    max512
maxtail512:
	VMAXPS (SI), Z5, K1, Z5
	VEXTRACTF64X4 $1, Z5, Y6
	VMAXPS Y6, Y5, Y5
	VEXTRACTF128 $1, Y5, X6
	VMAXPS X6, X5, X5
	VSHUFPS $0x4e, X5, X5, X6
	VMAXPS X6, X5, X5
	VSHUFPS $0xb1, X5, X5, X6
	VMAXPS X6, X5, X5
	VBROADCASTSS X5, Z5
	VMULPS Z31, Z5, Z5

	// exp(scale·x − greatest), and its sum in Z6.
	VPXORQ Z6, Z6, Z6
	MOVQ  DI, SI
	MOVQ  R8, DX
	TESTQ DX, DX
	JZ    exptail512
exp512:
	VMOVUPS (SI), Z1
	VFMSUB213PS Z5, Z31, Z1
	EXP512(Z1, Z2, Z3, Z4)
	VADDPS  Z1, Z6, Z6
	VMOVUPS Z1, (SI)
	ADDQ $64, SI
	DECQ DX
	JNZ  exp512
exptail512:
	VMOVUPS.Z (SI), K1, Z1
	VFMSUB213PS Z5, Z31, Z1
	EXP512(Z1, Z2, Z3, Z4)
	VADDPS  Z1, Z6, K1, Z6
	VMOVUPS Z1, K1, (SI)
	VEXTRACTF64X4 $1, Z6, Y7
	VADDPS Y7, Y6, Y6
	VEXTRACTF128 $1, Y6, X7
	VADDPS X7, X6, X6
	VHADDPS X6, X6, X6
	VHADDPS X6, X6, X6
	VMOVSS one<>(SB), X7
	VDIVSS X6, X7, X6
	VBROADCASTSS X6, Z6

	MOVQ  DI, SI
	MOVQ  R8, DX
	TESTQ DX, DX
	JZ    bytail512
by512:
	VMULPS  (SI), Z6, Z1
	VMOVUPS Z1, (SI)
	ADDQ $64, SI
	DECQ DX
	JNZ  by512
bytail512:
	VMULPS  (SI), Z6, K1, Z1
	VMOVUPS Z1, K1, (SI)
	VZEROUPPER
	RET

#define EXP256(x, n, p, q) \
	VBROADCASTSS expMin<>(SB), q \
	VMAXPS   q, x, x    \
	VMULPS   Y12, x, n  \
	VROUNDPS $0, n, n   \
	VBROADCASTSS ln2hi<>(SB), q \
	VFNMADD231PS q, n, x \
	VBROADCASTSS ln2lo<>(SB), q \
	VFNMADD231PS q, n, x \
	VMOVAPS  Y13, p \
	VBROADCASTSS expP1<>(SB), q \
	VFMADD213PS q, x, p \
	VBROADCASTSS expP2<>(SB), q \
	VFMADD213PS q, x, p \
	VBROADCASTSS expP3<>(SB), q \
	VFMADD213PS q, x, p \
	VBROADCASTSS expP4<>(SB), q \
	VFMADD213PS q, x, p \
	VBROADCASTSS expP5<>(SB), q \
	VFMADD213PS q, x, p \
	VMULPS   x, x, q    \
	VFMADD213PS x, q, p \
	VADDPS   Y14, p, p  \
	VCVTPS2DQ n, n      \
	VPSLLD   $23, n, n  \
	VPADDD   n, p, x

// func softmax256(x *float32, n int, scale float32)
TEXT ·softmax256(SB), NOSPLIT, $0-20
	MOVQ x+0(FP), DI
	MOVQ n+8(FP), R8
	MOVQ R8, CX
	ANDQ $7, CX
	LEAQ lanes<>(SB), AX
	MOVQ $8, BX
	SUBQ CX, BX
	VMOVUPS (AX)(BX*4), Y15 // lanes of the tail
	SHRQ $3, R8
	VBROADCASTSS scale+16(FP), Y11
	VBROADCASTSS log2e<>(SB), Y12
	VBROADCASTSS expP0<>(SB), Y13
	VBROADCASTSS one<>(SB), Y14
	VBROADCASTSS minusInf<>(SB), Y5
	VMOVAPS Y5, Y8

	MOVQ  DI, SI
	MOVQ  R8, DX
	TESTQ DX, DX
	JZ    maxtail256
max256:
	VMAXPS (SI), Y5, Y5
	ADDQ   $32, SI
	DECQ   DX
	JNZ    max256
maxtail256:
	VMASKMOVPS (SI), Y15, Y1
	VBLENDVPS  Y15, Y1, Y8, Y1
	VMAXPS Y1, Y5, Y5
	VEXTRACTF128 $1, Y5, X6
	VMAXPS X6, X5, X5
	VSHUFPS $0x4e, X5, X5, X6
	VMAXPS X6, X5, X5
	VSHUFPS $0xb1, X5, X5, X6
	VMAXPS X6, X5, X5
	VBROADCASTSS X5, Y5
	VMULPS Y11, Y5, Y5

	VXORPS Y6, Y6, Y6
	MOVQ  DI, SI
	MOVQ  R8, DX
	TESTQ DX, DX
	JZ    exptail256
exp256:
	VMOVUPS (SI), Y1
	VFMSUB213PS Y5, Y11, Y1
	EXP256(Y1, Y2, Y3, Y4)
	VADDPS  Y1, Y6, Y6
	VMOVUPS Y1, (SI)
	ADDQ $32, SI
	DECQ DX
	JNZ  exp256
exptail256:
	VMASKMOVPS (SI), Y15, Y1
	VFMSUB213PS Y5, Y11, Y1
	EXP256(Y1, Y2, Y3, Y4)
	VANDPS  Y15, Y1, Y1
	VADDPS  Y1, Y6, Y6
	VMASKMOVPS Y1, Y15, (SI)
	VEXTRACTF128 $1, Y6, X7
	VADDPS X7, X6, X6
	VHADDPS X6, X6, X6
	VHADDPS X6, X6, X6
	VMOVSS one<>(SB), X7
	VDIVSS X6, X7, X6
	VBROADCASTSS X6, Y6

	MOVQ  DI, SI
	MOVQ  R8, DX
	TESTQ DX, DX
	JZ    bytail256
by256:
	VMULPS  (SI), Y6, Y1
	VMOVUPS Y1, (SI)
	ADDQ $32, SI
	DECQ DX
	JNZ  by256
bytail256:
	VMASKMOVPS (SI), Y15, Y1
	VMULPS  Y6, Y1, Y1
	VMASKMOVPS Y1, Y15, (SI)
	VZEROUPPER
	RET

// func norm256(x, y, gain, shift *float32, n int, eps float32), n a multiple of 8.
// For both kinds of machines: memory bounds it.
TEXT ·norm256(SB), NOSPLIT, $0-44
	MOVQ x+0(FP), DI
	MOVQ y+8(FP), SI
	MOVQ gain+16(FP), R9
	MOVQ shift+24(FP), R10
	MOVQ n+32(FP), R8
	VCVTSI2SSQ R8, X15, X15
	VXORPS Y0, Y0, Y0 // sum
	MOVQ DI, BX
	MOVQ R8, CX
	TESTQ SI, SI
	JZ   sumonly
addsum:
	VMOVUPS (BX), Y1
	VADDPS  (SI), Y1, Y1
	VMOVUPS Y1, (BX)
	VADDPS  Y1, Y0, Y0
	ADDQ $32, BX
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ  addsum
	JMP  mean
sumonly:
	VADDPS (BX), Y0, Y0
	ADDQ $32, BX
	SUBQ $8, CX
	JNZ  sumonly
mean:
	VEXTRACTF128 $1, Y0, X1
	VADDPS  X1, X0, X0
	VHADDPS X0, X0, X0
	VHADDPS X0, X0, X0
	VDIVSS  X15, X0, X0
	VBROADCASTSS X0, Y0
	VXORPS Y2, Y2, Y2 // squares
	MOVQ DI, BX
	MOVQ R8, CX
squares:
	VMOVUPS (BX), Y1
	VSUBPS  Y0, Y1, Y1
	VFMADD231PS Y1, Y1, Y2
	ADDQ $32, BX
	SUBQ $8, CX
	JNZ  squares
	VEXTRACTF128 $1, Y2, X1
	VADDPS  X1, X2, X2
	VHADDPS X2, X2, X2
	VHADDPS X2, X2, X2
	VDIVSS  X15, X2, X2
	VADDSS  eps+40(FP), X2, X2
	VSQRTSS X2, X2, X2
	VMOVSS  one<>(SB), X1
	VDIVSS  X2, X1, X2
	VBROADCASTSS X2, Y2
scale:
	VMOVUPS (DI), Y1
	VSUBPS  Y0, Y1, Y1
	VMULPS  Y2, Y1, Y1
	VMOVUPS (R10), Y3
	VFMADD132PS (R9), Y3, Y1
	VMOVUPS Y1, (DI)
	ADDQ $32, DI
	ADDQ $32, R9
	ADDQ $32, R10
	SUBQ $8, R8
	JNZ  scale
	VZEROUPPER
	RET
