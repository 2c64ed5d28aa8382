/*
 * What `cvtpm acpi` writes as bytes, in the language that people read. The
 * test puts #define lines before it: PAGE, SIZE, LAST; HIGH above 4 GiB; PORT for
 * start method 8; PPI and PPI100, addresses in the area; DSM if there is any.
 */
DefinitionBlock ("", "SSDT", 2, "CVTPM ", "CRBTPM  ", 1)
{
	Scope (\_SB)
	{
		Device (TPM0)
		{
			Name (_HID, "MSFT0101")
			Name (_STR, Unicode ("TPM 2.0 Device"))
			Name (_UID, 1)
			Method (_STA, 0, NotSerialized)
			{
				Return (0x0F)
			}
			Name (_CRS, ResourceTemplate ()
			{
#ifdef HIGH
				QWordMemory (ResourceConsumer, PosDecode, MinFixed, MaxFixed, NonCacheable,
					ReadWrite, 0, PAGE, LAST, 0, SIZE)
#else
				Memory32Fixed (ReadWrite, PAGE, SIZE)
#endif
			})

#ifdef PORT
			OperationRegion (DBEL, SystemIO, PORT, 1)
			Field (DBEL, ByteAcc, NoLock, Preserve)
			{
				BELL, 8
			}
#endif
#ifdef PPI
			OperationRegion (TPP2, SystemMemory, PPI100, 0x5A)
			Field (TPP2, AnyAcc, NoLock, Preserve)
			{
				PPIN, 8,
				PPIP, 32,
				PPRP, 32,
				PPRQ, 32,
				PPRM, 32,
				LPPR, 32
			}
			Method (TPFN, 1, Serialized)
			{
				If (LGreaterEqual (Arg0, 0x100))
				{
					Return (0)
				}
				OperationRegion (TPP1, SystemMemory, Add (PPI, Arg0), 1)
				Field (TPP1, ByteAcc, NoLock, Preserve)
				{
					TPPF, 8
				}
				Return (TPPF)
			}
			Name (TPM2, Package (2) {0, 0})
			Name (TPM3, Package (3) {0, 0, 0})
#endif
#ifdef DSM
			Method (_DSM, 4, Serialized)
			{
#ifdef PORT
				If (LEqual (Arg0, ToUUID ("6bbf6cab-5463-4714-b7cd-f0203c0368d4")))
				{
					If (LEqual (Arg2, 1))
					{
						Store (1, BELL)
						Return (0)
					}
					If (LEqual (Arg2, 0))
					{
						Return (Buffer () {0x03})
					}
				}
#endif
#ifdef PPI
				If (LEqual (Arg0, ToUUID ("3dddfaa6-361b-4eb4-a424-8d10089d1653")))
				{
					If (LEqual (Arg2, 0))
					{
						Return (Buffer () {0xFF, 0x01})
					}
					If (LEqual (Arg2, 1))
					{
						Return ("1.3")
					}
					If (LEqual (Arg2, 2))
					{
						Store (DerefOf (Index (Arg3, 0)), Local0)
						Store (TPFN (Local0), Local1)
						If (LEqual (And (Local1, 7), 0))
						{
							Return (1)
						}
						If (LEqual (And (Local1, 7), 2))
						{
							Return (2)
						}
						Store (Local0, PPRQ)
						Store (0, PPRM)
						Return (0)
					}
					If (LEqual (Arg2, 3))
					{
						If (LEqual (Arg1, 1))
						{
							Store (PPRQ, Index (TPM2, 1))
							Return (TPM2)
						}
						If (LEqual (Arg1, 2))
						{
							Store (PPRQ, Index (TPM3, 1))
							Store (PPRM, Index (TPM3, 2))
							Return (TPM3)
						}
					}
					If (LEqual (Arg2, 4))
					{
						Return (2)
					}
					If (LEqual (Arg2, 5))
					{
						Store (LPPR, Index (TPM3, 1))
						Store (PPRP, Index (TPM3, 2))
						Return (TPM3)
					}
					If (LEqual (Arg2, 6))
					{
						Return (3)
					}
					If (LEqual (Arg2, 7))
					{
						Store (DerefOf (Index (Arg3, 0)), Local0)
						Store (TPFN (Local0), Local1)
						If (LEqual (And (Local1, 7), 0))
						{
							Return (1)
						}
						If (LEqual (And (Local1, 7), 2))
						{
							Return (3)
						}
						If (LEqual (Arg1, 1))
						{
							Store (Local0, PPRQ)
							Store (0, PPRM)
						}
						If (LEqual (Arg1, 2))
						{
							Store (Local0, PPRQ)
							Store (DerefOf (Index (Arg3, 1)), PPRM)
						}
						Return (0)
					}
					If (LEqual (Arg2, 8))
					{
						Store (DerefOf (Index (Arg3, 0)), Local0)
						Store (TPFN (Local0), Local1)
						Return (And (Local1, 7))
					}
					Return (Buffer () {0})
				}
#endif
				Return (Buffer () {0})
			}
#endif
		}
	}
}
