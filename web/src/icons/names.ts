/**
 * The icon names of the ChatKit interface, drawn with lucide (ISC). Where lucide has no icon of the
 * same meaning, the nearest one stands in. `lucide:*` names are a part of their own (`lazy/icons.ts`); other names are a neutral dot.
 */
import {
  ArrowLeft, ArrowLeftToLine, ArrowRightToLine, Atom, Award, Book, BookMarked, BookOpen, Bot, Box, Briefcase, Bug,
  Calendar, ChartColumn, ChartLine, Check, ChevronLeft, ChevronRight, ChevronsLeft, ChevronsRight, Circle, CircleCheck,
  CircleCheckBig, CircleEllipsis, CircleQuestionMark, Clock, Compass, Dot, Ellipsis, EllipsisVertical, ExternalLink, File,
  FileText, FlaskConical, Globe, History, House, IdCard, Image, Images, Info, KeyRound, Layers, LayoutGrid, LifeBuoy,
  Lightbulb, Mail, Map, MapPin, Maximize, Maximize2, Menu, MessageCircleDashed, Minimize, Minimize2, Monitor, Moon,
  Notebook, NotebookPen, PanelLeft, PanelLeftClose, PanelLeftOpen, PanelRight, PanelRightClose, PanelRightOpen,
  PartyPopper, Pencil, PenLine, Phone, Play, Plus, RefreshCw, ScrollText, Search, Settings, Share, SlidersHorizontal,
  Smartphone, Sparkle, Sparkles, SquareCode, SquarePen, Star, Sun, Type, User, UserRound, X, Zap,
  type IconNode,
} from 'lucide'; // prettier-ignore

export const ICONS: Readonly<Record<string, IconNode>> = {
  agent: Bot, analytics: ChartLine, atom: Atom, batch: Layers, bolt: Zap, 'book-open': BookOpen, 'book-closed': Book,
  'book-clock': BookMarked, bug: Bug, calendar: Calendar, chart: ChartColumn, check: Check, 'check-circle': CircleCheck,
  'check-circle-filled': CircleCheckBig, 'chevron-left': ChevronLeft, 'chevron-right': ChevronRight,
  'circle-question': CircleQuestionMark, clock: Clock, compass: Compass, confetti: PartyPopper, cube: Box,
  desktop: Monitor, document: FileText, dot: Dot, 'dots-horizontal': Ellipsis, 'dots-vertical': EllipsisVertical,
  'empty-circle': Circle, 'external-link': ExternalLink, globe: Globe, keys: KeyRound, lab: FlaskConical, images: Images,
  info: Info, lifesaver: LifeBuoy, lightbulb: Lightbulb, mail: Mail, 'map-pin': MapPin, maps: Map, mobile: Smartphone,
  name: Type, notebook: Notebook, 'notebook-pencil': NotebookPen, 'page-blank': File, phone: Phone, play: Play,
  plus: Plus, profile: UserRound, 'profile-card': IdCard, reload: RefreshCw, star: Star, 'star-filled': Star,
  search: Search, sparkle: Sparkle, 'sparkle-double': Sparkles, 'square-code': SquareCode, 'square-image': Image,
  'square-text': ScrollText, suitcase: Briefcase, 'settings-slider': SlidersHorizontal, user: User, wreath: Award,
  write: Pencil, 'write-alt': PenLine, 'write-alt2': SquarePen,
  'sidebar-left': PanelLeft, 'sidebar-right': PanelRight, 'sidebar-open-left': PanelLeftOpen,
  'sidebar-open-right': PanelRightOpen, 'sidebar-open-left-alt': PanelLeftOpen, 'sidebar-open-right-alt': PanelRightOpen,
  'sidebar-floating-left': PanelLeft, 'sidebar-floating-right': PanelRight, 'sidebar-floating-open-left': PanelLeftOpen,
  'sidebar-floating-open-right': PanelRightOpen, 'sidebar-collapse-left': PanelLeftClose,
  'sidebar-collapse-right': PanelRightClose, 'collapse-left': ArrowLeftToLine, 'collapse-right': ArrowRightToLine,
  'open-left': ArrowLeftToLine, 'open-right': ArrowRightToLine, 'double-chevron-left': ChevronsLeft,
  'double-chevron-right': ChevronsRight, home: House, 'home-alt': House, 'back-small': ChevronLeft, 'back-large': ArrowLeft,
  'expand-large': Maximize, 'collapse-large': Minimize, 'expand-small': Maximize2, 'collapse-small': Minimize2,
  'chat-temporary': MessageCircleDashed, 'settings-cog': Settings, grid: LayoutGrid,
  'dots-horizontal-circle': CircleEllipsis, 'dots-vertical-circle': CircleEllipsis, menu: Menu, 'menu-inverted': Menu,
  hamburger: Menu, history: History, compose: SquarePen, share: Share, 'light-mode': Sun, 'dark-mode': Moon, close: X,
}; // prettier-ignore

/** Names whose shape is filled. */
export const FILLED: ReadonlySet<string> = new Set(['star-filled']);
